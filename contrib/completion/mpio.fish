# Completion of mpio's command line for fish. Written by `make docs`; changes made here are lost.

function __mpio_words -d 'The words of the verb and its arguments, without options and their values'
    set -l option ''
    for word in (commandline -opc)[2..]
        if test -n "$option"
            set option ''
        else if string match -q -- '-*' $word
            contains -- $word --alias --color --config --fields --file --fix --for --force --how --listen --nic --only --output --plot --portal --record --report --since --site --suite --textfile --wait -o; and set option $word
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
    test -n "$words[1]"; and not contains -- "$words" 'iface' 'lun' 'multipath' 'lab'
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
complete -c mpio -n '__mpio_ends 0' -a init -d 'Look at the host and, through each NIC, at the SAN; write a commented site file.'
complete -c mpio -n '__mpio_ends 0' -a preflight -d 'What would stop or hurt apply, before anything is touched.'
complete -c mpio -n '__mpio_ends 0' -a plan -d 'The steps from the host to the site, each with its reason; changes nothing.'
complete -c mpio -n '__mpio_ends 0' -a apply -d 'Carry the plan out in rounds until nothing is left, then verify.'
complete -c mpio -n '__mpio_ends 0' -a verify -d 'Is the host as the site says? Path counts, time-outs, drift; changes nothing.'
complete -c mpio -n '__mpio_ends 0' -a status -d 'LUNs, paths, sessions and ifaces at a glance; needs no site file.'
complete -c mpio -n '__mpio_ends 0' -a stat -d 'ipmpstat\'s views over iSCSI multipath: groups, ifaces, addresses, targets, probes; needs no site.'
complete -c mpio -n '__mpio_ends 0' -a discover -d 'Ask portals for their targets through the site\'s ifaces; stores nothing.'
complete -c mpio -n '__mpio_ends 0' -a tune -d 'Carry out settings alone: time-outs, NICs, multipath; no iface, record, session or map comes or goes.'
complete -c mpio -n '__mpio_ends 0' -a login -d 'Log in: the whole site, or what X names. With --renew, make live sessions anew, one at a time.'
complete -c mpio -n '__mpio_ends 0' -a logout -d 'Log out: the whole site, or what X names.'
complete -c mpio -n '__mpio_ends 0' -a watch -d 'Follow the host: say at once what fails and why, alert, and move I/O away where the site says so.'
complete -c mpio -n '__mpio_ends 0' -a history -d 'What the watcher has seen: its events, and the last changes of every layer, on one clock.'
complete -c mpio -n '__mpio_ends 0' -a drill -d 'Take each NIC, portal and target away in turn while reading the LUNs; measure the stall, put it back.'
complete -c mpio -n '__mpio_ends 0' -a offline -d 'Maintenance: take a NIC, iface, portal, target or session out of use; never the last usable path.'
complete -c mpio -n '__mpio_ends 0' -a online -d 'Bring back what was taken offline.'
complete -c mpio -n '__mpio_ends 0' -a teardown -d 'Take everything mpio made away again, in the safe order.'
complete -c mpio -n '__mpio_ends 0' -a export -d 'The state as Prometheus text; needs no site file.'
complete -c mpio -n '__mpio_ends 0' -a report -d 'The state as one self-contained HTML page with the topology as a picture; needs no site file.'
complete -c mpio -n '__mpio_ends 0' -a support -d 'Everything that a supporter needs in one archive, secrets removed; changes nothing.'
complete -c mpio -n '__mpio_ends 0' -a doctor -d 'Known field failures, causes first, each with evidence and remedy; changes nothing without --fix.'
complete -c mpio -n '__mpio_ends 0' -a explain -d 'What a finding means and what to do about it.'
complete -c mpio -n '__mpio_ends 0' -a iface -d 'The iSCSI ifaces by hand: list them, add one, remove one.'
complete -c mpio -n '__mpio_ends 0' -a lun -d 'The life of a LUN: list, add, resize, remove, rescan, adopt.'
complete -c mpio -n '__mpio_ends 0' -a multipath -d 'multipath\'s share of the site.'
complete -c mpio -n '__mpio_ends 0' -a lab -d 'A SAN and an initiator on a real kernel inside QEMU; nothing on this host is touched.'
complete -c mpio -n '__mpio_ends 0' -l version -d 'Show the version.'
complete -c mpio -n '__mpio_ends 0' -l help -d 'Show the options of the verb and end.'
complete -c mpio -n '__mpio_is init' -l nic -x -a '(__mpio_asked nics)' -d 'A NIC that leads to the SAN; may be given again. None: those that look fit.'
complete -c mpio -n '__mpio_is init' -l portal -x -a '(__mpio_asked portals)' -d 'A portal to ask, a numeric address; may be given again.'
complete -c mpio -n '__mpio_is init' -l file -r -F -d 'Where to write the site file; - is stdout. None: as --site says.'
complete -c mpio -n '__mpio_is init' -l login -d 'Log in to look at the LUNs and name them, then log out again.'
complete -c mpio -n '__mpio_is init' -l adopt -d 'Describe the host as it is: its ifaces, records, sessions and maps.'
complete -c mpio -n '__mpio_is init' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is plan' -l script -d 'Print the plan as a shell runbook that needs no mpio.'
complete -c mpio -n '__mpio_is plan' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is apply' -l only -x -a '(__mpio_list initiator sysctl services ifaces timeouts discovery multipath login)' -d 'Only these parts, with commas between them: initiator, sysctl, services, ifaces, timeouts, discovery, multipath, login.'
complete -c mpio -n '__mpio_is apply' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is apply' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is verify' -l nagios -d 'One line with performance data; exits 0 to 3 as Nagios plug-ins do.'
complete -c mpio -n '__mpio_is verify' -l wait -x -d 'Look again until the host is healthy, at most so long.'
complete -c mpio -n '__mpio_is stat' -s g -l groups -d 'The LUNs\' maps, and the ifaces of each.'
complete -c mpio -n '__mpio_is stat' -s i -l ifaces -d 'The ifaces: link, probes, state.'
complete -c mpio -n '__mpio_is stat' -s a -l addresses -d 'The portals, and the ifaces that reach each.'
complete -c mpio -n '__mpio_is stat' -s t -l targets -d 'What is probed through each iface, and how.'
complete -c mpio -n '__mpio_is stat' -s p -l probes -d 'Probe one portal after another, a line each, until interrupted.'
complete -c mpio -n '__mpio_is stat' -s n -l numeric -d 'Addresses, not the names that the resolver has.'
complete -c mpio -n '__mpio_is stat' -l fields -x -a '(__mpio_list group groupname state fdt interfaces interface active flags link probe address inbound outbound mode testaddr targets time netrtt rtt rttavg rttdev target answer all)' -d 'These fields of the view, with commas between them, or all.'
complete -c mpio -n '__mpio_is stat' -s P -l parseable -d 'For scripts: no heads, a colon between fields; takes --fields.'
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
complete -c mpio -n '__mpio_is watch' -l listen -x -d 'Also answer /metrics there, for Prometheus: an address and a port.'
complete -c mpio -n '__mpio_is watch' -l test-alert -d 'Send a test message through each alert of the site, say how it went, and end.'
complete -c mpio -n '__mpio_is watch' -l event -d 'Look once, alert of what has changed since the last time, and end; for udev.'
complete -c mpio -n '__mpio_is watch' -l install -d 'Install the service and the udev rules on this host, and start it.'
complete -c mpio -n '__mpio_is watch' -l no-daemon -d 'With --install: no service; udev starts a short look at each path that fails.'
complete -c mpio -n '__mpio_is watch' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is history' -l since -x -d 'From then on: 2026-11-21, 2026-11-21T08:15, today, yesterday, or how long ago, as 2h or 30 min.'
complete -c mpio -n '__mpio_is drill' -l how -x -a 'offline link block' -d 'How things go: paths failed in the device mapper, a NIC set down, packets dropped by nftables.'
complete -c mpio -n '__mpio_is drill' -l plot -r -F -d 'Draw latency over time as SVG there; needs matplotlib.'
complete -c mpio -n '__mpio_is drill' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is drill' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is drill' -a '(__mpio_asked names)'
complete -c mpio -n '__mpio_is offline' -l for -x -d 'Bring it back by itself after so long: 30s, 15m, 2h, 1d, 1h30m.'
complete -c mpio -n '__mpio_is offline' -l logout -d 'Also log its sessions out, once no I/O goes over them.'
complete -c mpio -n '__mpio_is offline' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is offline' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is offline' -a '(__mpio_asked names)'
complete -c mpio -n '__mpio_is online' -l due -d 'What was offline for a time that is over; for the timer.'
complete -c mpio -n '__mpio_is online' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is online' -a '(__mpio_asked names)'
complete -c mpio -n '__mpio_is teardown' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is teardown' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_is export' -l textfile -r -F -d 'Write it there, whole or not at all, as node_exporter wants it.'
complete -c mpio -n '__mpio_ends 0 report' -r -F
complete -c mpio -n '__mpio_ends 0 support' -r -F
complete -c mpio -n '__mpio_is doctor' -l fix -x -a '(__mpio_asked codes)' -d 'Carry out what mends this code\'s findings, then look again.'
complete -c mpio -n '__mpio_is doctor' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is doctor' -l config -r -F -d 'Judge this multipath.conf or iscsid.conf instead, wherever it comes from.'
complete -c mpio -n '__mpio_is doctor' -l migrate -d 'With --config: print the least drop-in that says the same today.'
complete -c mpio -n '__mpio_is doctor' -l nagios -d 'One line with performance data; exits 0 to 3 as Nagios plug-ins do.'
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
complete -c mpio -n '__mpio_ends 0 lun' -a list -d 'Every LUN of the site, the maps and the paths, and who uses it; needs no site file.'
complete -c mpio -n '__mpio_ends 0 lun' -a add -d 'Take a LUN into the site file and use it, once all of its paths are there and agree.'
complete -c mpio -n '__mpio_ends 0 lun' -a resize -d 'Let the map follow a LUN that grew on the array, once every path has its new size.'
complete -c mpio -n '__mpio_ends 0 lun' -a remove -d 'Take a LUN away, in the safe order: out of the site file, map, disks and multipath\'s files.'
complete -c mpio -n '__mpio_ends 0 lun' -a rescan -d 'Have the sessions look for LUNs anew, and say what came, went or changed; no device is removed.'
complete -c mpio -n '__mpio_ends 0 lun' -a adopt -d 'Take the paths that there are now for those to expect; a map that the site does not name comes into it.'
complete -c mpio -n '__mpio_ends 0 lun' -l help -d 'Show the options of the verb and end.'
complete -c mpio -n '__mpio_is lun add' -l alias -x -d 'The name of its map.'
complete -c mpio -n '__mpio_is lun add' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is lun add' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_ends 0 lun add' -a '(__mpio_asked wwids)'
complete -c mpio -n '__mpio_is lun resize' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is lun resize' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_ends 0 lun resize' -a '(__mpio_asked luns)'
complete -c mpio -n '__mpio_is lun remove' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_is lun remove' -l force -x -a '(__mpio_asked refusals)' -d 'Let the refusal with this code pass, no other; may be given again.'
complete -c mpio -n '__mpio_ends 0 lun remove' -a '(__mpio_asked luns)'
complete -c mpio -n '__mpio_is lun rescan' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_ends 0 lun rescan' -a '(__mpio_asked luns)'
complete -c mpio -n '__mpio_is lun adopt' -l yes -d 'Do it without asking.'
complete -c mpio -n '__mpio_ends 0 lun adopt' -a '(__mpio_asked luns)'
complete -c mpio -n '__mpio_ends 0 multipath' -a render -d 'The drop-in /etc/multipath/conf.d/90-mpio.conf as this host is to have it, to stdout.'
complete -c mpio -n '__mpio_ends 0 multipath' -l help -d 'Show the options of the verb and end.'
complete -c mpio -n '__mpio_ends 0 lab' -a demo -d 'The main job on a fresh guest: plan, apply, verify.'
complete -c mpio -n '__mpio_ends 0 lab' -a rehearse -d 'Try a site file on a guest with a SAN that answers to it: plan, apply, drill, report.'
complete -c mpio -n '__mpio_ends 0 lab' -a up -d 'Start a guest and keep it for `lab run`.'
complete -c mpio -n '__mpio_ends 0 lab' -a run -d 'Run a command in the guest of `lab up`, or in one of its own; exits as the command does.'
complete -c mpio -n '__mpio_ends 0 lab' -a record -d 'Run every program call that mpio knows, in a guest in several states, and keep each as a file for tests.'
complete -c mpio -n '__mpio_ends 0 lab' -a down -d 'End the guest of `lab up`.'
complete -c mpio -n '__mpio_ends 0 lab' -l help -d 'Show the options of the verb and end.'
complete -c mpio -n '__mpio_is lab demo' -l suite -x -a 'bookworm trixie' -d 'The release of the guest.'
complete -c mpio -n '__mpio_is lab rehearse' -l suite -x -a 'bookworm trixie' -d 'The release of the guest.'
complete -c mpio -n '__mpio_is lab rehearse' -l report -r -F -d 'Keep the guest\'s report as this HTML page.'
complete -c mpio -n '__mpio_ends 0 lab rehearse' -r -F
complete -c mpio -n '__mpio_is lab up' -l suite -x -a 'bullseye bookworm trixie' -d 'The release of the guest.'
complete -c mpio -n '__mpio_is lab record' -l suite -x -a 'bullseye bookworm trixie' -d 'The release of the guest.'
complete -c mpio -n '__mpio_ends 0 lab record' -a '(__fish_complete_directories)'
complete -c mpio -n __mpio_runs -l site -r -F -d 'The site file (default $MPIO_SITE, else /etc/mpio/site.toml).'
complete -c mpio -n __mpio_runs -s o -l output -x -a 'text json jsonl' -d 'Text to read, one JSON document, or (for streams) a JSON object a line.'
complete -c mpio -n __mpio_runs -s v -l verbose -d 'Show each program that runs, as a line that can be pasted.'
complete -c mpio -n __mpio_runs -l color -x -a 'auto always never' -d 'Colours; auto: on a terminal unless NO_COLOR is set.'
complete -c mpio -n __mpio_runs -l record -x -a '(__fish_complete_directories)' -d 'Keep each program\'s run as a file in DIR, secrets removed.'
complete -c mpio -n __mpio_runs -l help -d 'Show the options of the verb and end.'
