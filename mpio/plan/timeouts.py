"""Time-outs, made true in every place that has a say:
iscsid.conf, records, live sessions (multipath's share is in maps).
"""

from __future__ import annotations

from mpio.host import Host
from mpio.plan.shape import ISCSID_CONF, Share
from mpio.site import Site
from mpio.step import Note, Part, Step, Write
from mpio.tools import keyfile
from mpio.topology import Pairs


def settings_of_conf(site: Site) -> dict[str, str]:
    """The time-outs under open-iscsi's own names; the same keys in iscsid.conf and in records."""
    t = site.timeouts
    return {
        "node.session.timeo.replacement_timeout": str(t.replacement),
        "node.conn[0].timeo.noop_out_interval": str(t.noop_interval),
        "node.conn[0].timeo.noop_out_timeout": str(t.noop_timeout),
        "node.conn[0].timeo.login_timeout": str(t.login),
        "node.session.initial_login_retry_max": str(t.login_retries),
    }


def settings_of_records(site: Site) -> dict[str, str]:
    return {**settings_of_conf(site), **site.session_keys}


def configured(site: Site, host: Host) -> Share:
    text = host.files.get(ISCSID_CONF)
    have = keyfile.values(text or "")
    differs = {k: v for k, v in settings_of_conf(site).items() if have.get(k) != v}
    if not differs:
        return Share()
    why = ", ".join(f"{k} is {have.get(k, 'not set')}" for k in differs)
    notes = tuple(Note("key", f"{ISCSID_CONF} {k}", have.get(k), v) for k, v in differs.items())
    mode = None if text is not None else 0o600
    new = keyfile.with_values(text or "", differs)
    return Share((Write(Part.TIMEOUTS, why, ISCSID_CONF, new, mode, text, notes=notes),))


def live(site: Site, host: Host, pairs: Pairs) -> Share:
    """recovery_tmo of the site's sessions. The kernel takes it only while a session is logged in (EBUSY otherwise:
    facts 2).
    """
    steps: list[Step] = []
    for session in host.sessions:
        wanted = site.timeouts.replacement
        if session.pair not in pairs.planned or not session.logged_in or session.recovery_tmo == wanted:
            continue
        have = "off" if session.recovery_tmo is None else str(session.recovery_tmo)
        path = f"/sys/class/iscsi_session/session{session.sid}/recovery_tmo"
        why = f"the recovery time of session {session.sid} ({session.pair}) is {have}"
        steps.append(Write(Part.TIMEOUTS, why, path, f"{wanted}\n", None, f"{have}\n"))
    return Share(tuple(steps))
