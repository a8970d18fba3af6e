# Completion of mpio's command line for fish. Written by `make docs`; changes made here are lost.

function __mpio_words -d 'The words of the verb and its arguments, without options and their values'
    set -l option ''
    for word in (commandline -opc)[2..]
        if test -n "$option"
            set option ''
        else if string match -q -- '-*' $word
            contains -- $word --color --force --only --output --record --site --suite --textfile --wait -o; and set option $word
        else
            printf '%s\n' $word
        end
    end
end

function __mpio_is -d 'Is it this verb?'
    set -l words (__mpio_words)
    string match -q -- "$argv *" "$words "
end

function __mpio_runs -d 'Is it a verb that can be run?'
    set -l words (__mpio_words)
    test -n "$words[1]"; and not contains -- "$words" 'iface' 'multipath' 'lab'
end

function __mpio_ends -d 'Are there so many arguments behind this verb?'
    set -l words (__mpio_words)
    set -l verb $argv[2..]
    test (count $words) -eq (math (count $verb) + $argv[1]); and string match -q -- "$verb *" "$words "
end

function __mpio_asked
    set -lx _MPIO_COMPLETE $argv
    set -l program (commandline -opc)[1]
    command $program 2>/dev/null
end

function __mpio_list
    set -l now (commandline -ct | string replace -r -- '^--[a-z-]+=' '')
    set -l listed (string match -r -- '^.*,' "$now")
    for word in $argv
        contains -- $word (string split , "$listed"); or printf '%s\n' "$listed$word"
    end
end

complete -c mpio -f
complete -c mpio -n '__mpio_ends 0' -a preflight -d 'What would stop or hurt apply, before anything is touched.'
complete -c mpio -n '__mpio_ends 0' -a plan -d 'The steps from the host to the site, each with its reason; changes nothing.'
complete -c mpio -n '__mpio_ends 0' -a apply -d 'Carry the plan out in rounds until nothing is left, then verify.'
complete -c mpio -n '__mpio_ends 0' -a verify -d 'Is the host as the site says? Path counts, time-outs, drift; changes nothing.'
complete -c mpio -n '__mpio_ends 0' -a status -d 'LUNs, paths, sessions and ifaces at a glance; needs no site file.'
complete -c mpio -n '__mpio_ends 0' -a discover -d 'Ask portals for their targets through the site\'s ifaces; stores nothing.'
complete -c mpio -n '__mpio_ends 0' -a tune -d 'Carry out settings alone: time-outs, NICs, multipath; no iface, record, session or map comes or goes.'
complete -c mpio -n '__mpio_ends 0' -a login -d 'Log in: the whole site, or what X names. With --renew, make live sessions anew, one at a time.'
complete -c mpio -n '__mpio_ends 0' -a logout -d 'Log out: the whole site, or what X names.'
complete -c mpio -n '__mpio_ends 0' -a teardown -d 'Take everything mpio made away again, in the safe order.'
complete -c mpio -n '__mpio_ends 0' -a export -d 'The state as Prometheus text; needs no site file.'
complete -c mpio -n '__mpio_ends 0' -a explain -d 'What a finding means and what to do about it.'
complete -c mpio -n '__mpio_ends 0' -a iface -d 'The iSCSI ifaces by hand: list them, add one, remove one.'
complete -c mpio -n '__mpio_ends 0' -a multipath -d 'multipath\'s share of the site.'
complete -c mpio -n '__mpio_ends 0' -a lab -d 'A SAN and an initiator on a real kernel inside QEMU; nothing on this host is touched.'
complete -c mpio -n '__mpio_ends 0' -l version -d 'Show the version.'
complete -c mpio -n '__mpio_ends 0' -l help -d 'Show the options of the verb and end.'
complete -c mpio -n '__mpio_is plan' -l script -d 'Print the plan as a shell runbook that needs no mpio.'
complete -c mpio -n '__mpio_is plan' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is apply' -l only -x -a '(__mpio_list initiator sysctl services ifaces timeouts discovery multipath login)' -d 'Only these parts, with commas between them: initiator, sysctl, services, ifaces, timeouts, discovery, multipath, login.'
complete -c mpio -n '__mpio_is apply' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is apply' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is verify' -l nagios -d 'One line with performance data; exits 0 to 3 as Nagios plug-ins do.'
complete -c mpio -n '__mpio_is verify' -l wait -x -d 'Look again until the host is healthy, at most so long.'
complete -c mpio -n '__mpio_is discover' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is discover' -a '(__mpio_asked portals)'
complete -c mpio -n '__mpio_is tune' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is tune' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is login' -l renew -d 'Also log live sessions out and in again, one at a time: those that X names; without X those that only a new login brings to the site (no-op timers, NIC, initiator name).'
complete -c mpio -n '__mpio_is login' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is login' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is login' -a '(__mpio_asked names)'
complete -c mpio -n '__mpio_is logout' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is logout' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is logout' -a '(__mpio_asked names)'
complete -c mpio -n '__mpio_is teardown' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is teardown' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is export' -l textfile -r -F -d 'Write it there, whole or not at all, as node_exporter wants it.'
complete -c mpio -n '__mpio_ends 0 explain' -a '(__mpio_asked codes)'
complete -c mpio -n '__mpio_ends 0 iface' -a list -d 'The ifaces of open-iscsi: NIC, addresses, sessions, and whether the site names them; needs no site file.'
complete -c mpio -n '__mpio_ends 0 iface' -a add -d 'Make an iface and bind it to a NIC. One that is bound to another NIC already is refused.'
complete -c mpio -n '__mpio_ends 0 iface' -a remove -d 'Delete an iface and its records. Refused while a session uses it or where the records are not mpio\'s.'
complete -c mpio -n '__mpio_ends 0 iface' -l help -d 'Show the options of the verb and end.'
complete -c mpio -n '__mpio_is iface add' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_ends 0 iface add' -a '(__mpio_asked ifaces)'
complete -c mpio -n '__mpio_ends 1 iface add' -a '(__mpio_asked nics)'
complete -c mpio -n '__mpio_is iface remove' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is iface remove' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_ends 0 iface remove' -a '(__mpio_asked ifaces)'
complete -c mpio -n '__mpio_ends 0 multipath' -a render -d 'The drop-in /etc/multipath/conf.d/90-mpio.conf as this host is to have it, to stdout.'
complete -c mpio -n '__mpio_ends 0 multipath' -l help -d 'Show the options of the verb and end.'
complete -c mpio -n '__mpio_ends 0 lab' -a demo -d 'The main job on a fresh guest: plan, apply, verify.'
complete -c mpio -n '__mpio_ends 0 lab' -a up -d 'Start a guest and keep it for `lab run`.'
complete -c mpio -n '__mpio_ends 0 lab' -a run -d 'Run a command in the guest of `lab up`, or in one of its own; exits as the command does.'
complete -c mpio -n '__mpio_ends 0 lab' -a record -d 'Run every program call that mpio knows, in a guest in several states, and keep each as a file for tests.'
complete -c mpio -n '__mpio_ends 0 lab' -a down -d 'End the guest of `lab up`.'
complete -c mpio -n '__mpio_ends 0 lab' -l help -d 'Show the options of the verb and end.'
complete -c mpio -n '__mpio_is lab demo' -l suite -x -a 'bullseye bookworm trixie' -d 'The release of the guest.'
complete -c mpio -n '__mpio_is lab up' -l suite -x -a 'bullseye bookworm trixie' -d 'The release of the guest.'
complete -c mpio -n '__mpio_is lab record' -l suite -x -a 'bullseye bookworm trixie' -d 'The release of the guest.'
complete -c mpio -n '__mpio_ends 0 lab record' -a '(__fish_complete_directories)'
complete -c mpio -n __mpio_runs -l site -r -F -d 'The site file (default $MPIO_SITE, else /etc/mpio/site.toml).'
complete -c mpio -n __mpio_runs -s o -l output -x -a 'text json' -d 'Text to read, or one JSON document.'
complete -c mpio -n __mpio_runs -s v -l verbose -d 'Show each program that runs, as a line that can be pasted.'
complete -c mpio -n __mpio_runs -l color -x -a 'auto always never' -d 'Colours; auto: on a terminal unless NO_COLOR is set.'
complete -c mpio -n __mpio_runs -l record -x -a '(__fish_complete_directories)' -d 'Keep each program\'s run as a file in DIR, secrets removed.'
complete -c mpio -n __mpio_runs -l help -d 'Show the options of the verb and end.'
