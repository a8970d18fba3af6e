"""The verbs, one a file: read options, ask, show."""

# In the order of a host's life; only the module of the verb that was called is imported.
VERBS = {
    "preflight": "What would stop or hurt apply, before anything is touched.",
    "plan": "The steps from the host to the site, each with its reason; changes nothing.",
    "apply": "Carry the plan out in rounds until nothing is left, then verify.",
    "verify": "Is the host as the site says? Path counts, time-outs, drift; changes nothing.",
    "status": "LUNs, paths, sessions and ifaces at a glance; needs no site file.",
    "iface": "The iSCSI ifaces by hand: list them, add one, remove one.",
    "discover": "Ask portals for their targets through the site's ifaces; stores nothing.",
    "tune": "Carry out settings alone: time-outs, NICs, multipath; no iface, record, session or map comes or goes.",
    "login": "Log in: the whole site, or what X names. With --renew, make live sessions anew, one at a time.",
    "logout": "Log out: the whole site, or what X names.",
    "teardown": "Take everything mpio made away again, in the safe order.",
    "multipath": "multipath's share of the site.",
    "export": "The state as Prometheus text; needs no site file.",
    "explain": "What a finding means and what to do about it.",
    "lab": "A SAN and an initiator on a real kernel inside QEMU; nothing on this host is touched.",
}
