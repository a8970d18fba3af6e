"""The verbs, one a file: read options, ask, show."""

# In the order of a host's life; only the module of the verb that was called is imported.
VERBS = {
    "init": "Look at the host and, through each NIC, at the SAN; write a commented site file.",
    "preflight": "What would stop or hurt apply, before anything is touched.",
    "plan": "The steps from the host to the site, each with its reason; changes nothing.",
    "apply": "Carry the plan out in rounds until nothing is left, then verify.",
    "verify": "Is the host as the site says? Path counts, time-outs, drift; changes nothing.",
    "status": "LUNs, paths, sessions and ifaces at a glance; needs no site file.",
    "stat": "ipmpstat's views over iSCSI multipath: groups, ifaces, addresses, targets, probes; needs no site.",
    "iface": "The iSCSI ifaces by hand: list them, add one, remove one.",
    "lun": "The life of a LUN: list, add, resize, remove, rescan, adopt.",
    "discover": "Ask portals for their targets through the site's ifaces; stores nothing.",
    "tune": "Carry out settings alone: time-outs, NICs, multipath; no iface, record, session or map comes or goes.",
    "login": "Log in: the whole site, or what X names. With --renew, make live sessions anew, one at a time.",
    "logout": "Log out: the whole site, or what X names.",
    "drill": "Take each NIC, portal and target away in turn while reading the LUNs; measure the stall, put it back.",
    "offline": "Maintenance: take a NIC, iface, portal, target or session out of use; never the last usable path.",
    "online": "Bring back what was taken offline.",
    "teardown": "Take everything mpio made away again, in the safe order.",
    "multipath": "multipath's share of the site.",
    "export": "The state as Prometheus text; needs no site file.",
    "report": "The state as one self-contained HTML page with the topology as a picture; needs no site file.",
    "support": "Everything that a supporter needs in one archive, secrets removed; changes nothing.",
    "explain": "What a finding means and what to do about it.",
    "lab": "A SAN and an initiator on a real kernel inside QEMU; nothing on this host is touched.",
}
