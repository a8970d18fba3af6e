"""The script for bash."""

from __future__ import annotations

from collections.abc import Iterable

from completion import HEAD, Verb, Word, everywhere, filled, quoted, root, valued, verbs

BASH = r"""# shellcheck shell=bash

# What may follow the verb $1: its options, its arguments, and what may come again and again after them.
_mpio_at() {
    local every='@EVERY@'
    case $1 in
@VERBS@
        *) return 1 ;;
    esac
}

# What is the value of the option $1 of the verb; empty where it takes none.
_mpio_value() {
    place=''
    case "$verb $1" in
@VALUES@
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
"""


def script() -> str:
    top = root()
    every = everywhere(top)
    values: dict[str, list[str]] = {}
    for option, place in valued(top).items():
        values.setdefault(place, []).append(quoted(option) if " " in option else f"*\\ {option}")
    fields = {
        "EVERY": _spellings(every),
        "VERBS": "\n".join(_bash_verb(verb, every) for verb in verbs(top)),
        "VALUES": "\n".join(f"{' ' * 8}{' | '.join(options)}) place='{at}' ;;" for at, options in values.items()),
    }
    return HEAD.format(name="bash") + filled(BASH, fields)


def _bash_verb(verb: Verb, every: tuple[Word, ...]) -> str:
    if verb.below:
        options, places = _spellings(verb.options), [f"words {' '.join(inner.last for inner in verb.below)}"]
    else:
        own = _spellings(word for word in verb.options if word not in every)
        options, places = f"{own} $every".strip(), [word.place for word in verb.arguments]
    many = verb.arguments[-1].place if verb.arguments and verb.arguments[-1].many else ""
    arguments = " ".join(quoted(place) for place in places)
    return f'{" " * 8}{quoted(verb.name)}) options="{options}" arguments=({arguments}) many={quoted(many)} ;;'


def _spellings(words: Iterable[Word]) -> str:
    return " ".join(spelt for word in words for spelt in word.spelt)
