# Completion of mpio's command line for bash. Written by `make docs`; changes made here are lost.
# shellcheck shell=bash

# What may follow the verb $1: its options, its arguments, and what may come again and again after them.
_mpio_at() {
    local every='--site -o --output -v --verbose --color --record --help'
    case $1 in
        '') options="--version --help" arguments=('words init preflight plan apply verify status stat discover tune login logout watch history drill offline online teardown export report support doctor explain iface lun multipath lab') many='' ;;
        'init') options="--nic --portal --file --login --adopt --yes $every" arguments=() many='' ;;
        'preflight') options="$every" arguments=() many='' ;;
        'plan') options="--script --force $every" arguments=() many='' ;;
        'apply') options="--only --yes --force $every" arguments=() many='' ;;
        'verify') options="--nagios --wait $every" arguments=() many='' ;;
        'status') options="$every" arguments=() many='' ;;
        'stat') options="-g --groups -i --ifaces -a --addresses -t --targets -p --probes -n --numeric --fields -P --parseable $every" arguments=() many='' ;;
        'discover') options="--yes $every" arguments=('asked portals') many='asked portals' ;;
        'tune') options="--yes --force $every" arguments=() many='' ;;
        'login') options="--renew --yes --force $every" arguments=('asked names') many='asked names' ;;
        'logout') options="--yes --force $every" arguments=('asked names') many='asked names' ;;
        'watch') options="--listen --test-alert --event --install --no-daemon --yes $every" arguments=() many='' ;;
        'history') options="--since $every" arguments=() many='' ;;
        'drill') options="--how --plot --yes --force $every" arguments=('asked names') many='asked names' ;;
        'offline') options="--for --logout --yes --force $every" arguments=('asked names') many='asked names' ;;
        'online') options="--due --yes $every" arguments=('asked names') many='asked names' ;;
        'teardown') options="--yes --force $every" arguments=() many='' ;;
        'export') options="--textfile $every" arguments=() many='' ;;
        'report') options="$every" arguments=('files') many='' ;;
        'support') options="$every" arguments=('files') many='' ;;
        'doctor') options="--fix --yes --config --migrate --nagios $every" arguments=() many='' ;;
        'explain') options="$every" arguments=('asked codes') many='' ;;
        'iface') options="--help" arguments=('words list add remove') many='' ;;
        'iface list') options="$every" arguments=() many='' ;;
        'iface add') options="--yes $every" arguments=('asked ifaces' 'asked nics') many='' ;;
        'iface remove') options="--yes --force $every" arguments=('asked ifaces') many='' ;;
        'lun') options="--help" arguments=('words list add resize remove rescan adopt') many='' ;;
        'lun list') options="$every" arguments=() many='' ;;
        'lun add') options="--alias --yes --force $every" arguments=('asked wwids') many='' ;;
        'lun resize') options="--yes --force $every" arguments=('asked luns') many='' ;;
        'lun remove') options="--yes --force $every" arguments=('asked luns') many='' ;;
        'lun rescan') options="--yes $every" arguments=('asked luns') many='' ;;
        'lun adopt') options="--yes $every" arguments=('asked luns') many='' ;;
        'multipath') options="--help" arguments=('words render') many='' ;;
        'multipath render') options="$every" arguments=() many='' ;;
        'lab') options="--help" arguments=('words demo rehearse up run record down') many='' ;;
        'lab demo') options="--suite $every" arguments=() many='' ;;
        'lab rehearse') options="--suite --report $every" arguments=('files') many='' ;;
        'lab up') options="--suite $every" arguments=() many='' ;;
        'lab run') options="$every" arguments=('nothing') many='nothing' ;;
        'lab record') options="--suite $every" arguments=('folders') many='' ;;
        'lab down') options="$every" arguments=() many='' ;;
        *) return 1 ;;
    esac
}

# What is the value of the option $1 of the verb; empty where it takes none.
_mpio_value() {
    place=''
    case "$verb $1" in
        *\ --nic) place='asked nics' ;;
        *\ --portal) place='asked portals' ;;
        *\ --file | *\ --site | *\ --plot | *\ --textfile | *\ --config | *\ --report) place='files' ;;
        *\ -o | *\ --output) place='words text json jsonl' ;;
        *\ --color) place='words auto always never' ;;
        *\ --record) place='folders' ;;
        *\ --force) place='asked refusals' ;;
        *\ --only) place='list initiator sysctl services ifaces timeouts discovery multipath login' ;;
        *\ --wait | *\ --listen | *\ --since | *\ --for | *\ --alias) place='nothing' ;;
        *\ --fields) place='list group groupname state fdt interfaces interface active flags link probe address inbound outbound mode testaddr targets time netrtt rtt rttavg rttdev target answer all' ;;
        *\ --how) place='words offline link block' ;;
        *\ --fix) place='asked codes' ;;
        'lab demo --suite' | 'lab rehearse --suite') place='words bookworm trixie' ;;
        'lab up --suite' | 'lab record --suite') place='words bullseye bookworm trixie' ;;
    esac
}

_mpio() {
    local line=${COMP_LINE:0:COMP_POINT} now='' verb='' option='' place='' many='' options='' before='' word
    local -a words=() arguments=() given=() found=()
    # not COMP_WORDS: bash ends its words at : and =, which portals and targets have
    # shellcheck disable=SC2162 # a blank behind a backslash ends no word
    read -a words <<<"$line"
    if [[ $line != *[[:blank:]] ]]; then
        now=${words[-1]}
        unset 'words[-1]'
    fi
    _mpio_at ''
    for word in "${words[@]:1}"; do
        if [[ -n $option ]]; then
            option='' # this was its value
        elif [[ $word == -* ]]; then
            _mpio_value "$word"
            [[ -z $place ]] || option=$word
        elif ((${#given[@]} == 0)) && _mpio_at "$verb${verb:+ }$word"; then
            verb=$verb${verb:+ }$word
        else
            given+=("$word")
        fi
    done
    if [[ -z $option && $now == --*=* ]]; then
        option=${now%%=*} before=$option= now=${now#*=}
    fi
    if [[ -n $option ]]; then
        _mpio_value "$option"
    elif [[ $now == -* ]]; then
        place="words $options"
    elif ((${#given[@]} < ${#arguments[@]})); then
        place=${arguments[${#given[@]}]}
    else
        place=$many
    fi
    _mpio_found "$1"
    # bash has what comes before the last of its breaks already
    local kept='' breaks=${COMP_WORDBREAKS//[!:=@]/} whole=$before$now
    [[ -z $breaks ]] || kept=${whole%"${whole##*["$breaks"]}"}
    COMPREPLY=()
    for word in "${found[@]}"; do
        [[ $word != "$now"* ]] || COMPREPLY+=("${before}${word}")
    done
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}

# The words of a place, by the program $1.
_mpio_found() {
    local word listed=${now%"${now##*,}"}
    case $place in
        files) compopt -o default ;;
        folders) compopt -o dirnames ;;
        words\ *) read -ra found <<<"${place#words }" ;;
        list\ *)
            compopt -o nospace
            for word in ${place#list }; do
                [[ ,$listed == *,$word,* ]] || found+=("$listed$word")
            done
            ;;
        asked\ *)
            mapfile -t found < <(_MPIO_COMPLETE=${place#asked } "${1/#\~\//$HOME/}" 2>/dev/null)
            found=("${found[@]%%$'\t'*}")
            ;;
    esac
}

complete -F _mpio mpio
