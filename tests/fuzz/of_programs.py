"""The readers of what programs print."""

from __future__ import annotations

from functools import partial

from corpus import errs, files, outs
from fuzzed import Reader, answering, of_file, of_program, said, text

from mpio import bundle
from mpio.diagnosis import conf, conf_lines, migrate
from mpio.errors import UnreadableOutput
from mpio.host import Pair, Portal
from mpio.tools import (
    dmsetup,
    dpkg,
    ip,
    iscsiadm,
    iscsidb,
    iscsidlog,
    iscsitext,
    iscsitrial,
    keyfile,
    mounttab,
    multipath,
    multipathconf,
    multipathd,
    multipathmend,
    multipathnames,
    sysctl,
    systemctl,
    wwid,
)
from mpio.tools.multipathbuilt import Dialect

PORTAL = Portal("10.10.8.90")
PAIR = Pair("sw-iscsi-0", PORTAL, "iqn.2011-09.dom.homer:01")
RULE = b'[{"priority":28017,"src":"10.10.8.21","srclen":32,"table":"28017","protocol":"109"},{}]'
ROUTE = b'[{"dst":"10.10.8.0/24","dev":"eth2","table":"28017","scope":"253","flags":[]}]'
TABLES = b"255 local\n0xfd main\n# comment\n 28017\tsan\n"
ISCSID = b"""\
1.5 h iscsid[1]: session 5 login rejected: Initiator failed authentication with target
1.6 h iscsid[1]: Connection5:0 to [target: iqn.x:1, portal: 10.0.0.1,3260] through [iface: a] is shutdown.
1.7 h iscsid[1]: Login authentication failed with target iqn.x:1, CHAP response expected
1.8 h iscsid[1]: Kernel reported iSCSI connection 1:0 error (1022 - ISCSI_ERR_NOP_TIMEDOUT: A NOP) state (3)
1.9 h iscsid[1]: connection1:0 is operational after recovery (1 attempts)
"""
NOT_LOGGED_IN = (
    b"iscsiadm: Could not login to [iface: mpio-init-0, target: iqn.2011-09.dom.homer:01, portal: 10.10.8.90,3260].\n"
    b"iscsiadm: initiator reported error (24 - iSCSI login failed due to authorization failure)\n"
    b"iscsiadm: Could not log into all portals\n"
)
WWIDS = (
    b"3600144f0f484400000004e8685e70001",
    b"naa.600144F0F484400000004E8685E70001",
    b"eui.0123456789abcdef",
    b"t10.ATA     QEMU HARDDISK   QM00001",
    b"1ATA_QEMU",
)
BLACKLIST = b'blacklist {\n\tdevnode "^sd"\n\tproperty (A|B)\n\tdevice {\n\t\tvendor "[[:alpha:]]+"\n\t}\n}\n'
OVERRIDES = b'overrides {\n\tprotocol {\n\t\ttype "scsi:iscsi"\n\t\tdev_loss_tmo infinity\n\t}\n}\nmultipaths {\n'
SYSCTL = b"-net.ipv4.conf.eth0/100.rp_filter = 2\nnet/ipv4/conf/*/arp_ignore=1\n-net.ipv4.conf.all.x\n; no\n"
CRYPTTAB = b'data /dev/sdb1 none luks\nmore UUID="1-2" none\n'
LVM_DEVICES = b"VERSION=1.1.1\nIDTYPE=devname IDNAME=/dev/sdb DEVNAME=/dev/sdb PVID=x\n"
LVM_CONF = b"devices {\n\tmultipath_component_detection = 0\n}\n"
PACKAGE = b"Package: open-iscsi\nStatus: install ok installed\nVersion: 2.1.8-1\n\nPackage: x\nStatus: deinstall\n\n"


def _maps(data: bytes) -> object:
    found = multipathd.parse_maps(said(data))
    return [(m, m.paths, multipathd.queueing_seconds(m.queueing, 5)) for m in found]


def _discovered(data: bytes) -> object:
    return iscsiadm.discovery(answering(said(data)), PORTAL, ("sw-iscsi-0",))


def _one_map(data: bytes) -> object:
    return multipathd.map_named(answering(said(data)), "x")


def _held(data: bytes) -> object:
    return multipath.effective(multipathd.config(answering(said(data))))


def _refused(data: bytes) -> object:
    run = answering("", 24, said(data))
    return iscsiadm.discovery(run, PORTAL, ()), iscsiadm.last_words(run("x"))


def _record(data: bytes) -> object:
    return iscsiadm.record(answering(said(data)), PAIR), iscsiadm.discovery_record(answering(said(data)), PORTAL)


def _effective(data: bytes) -> object:
    table = multipath.effective(said(data))
    return table, dict(multipath.by_lun(table, {"3600": ("NEXENTA", "COMSTAR")})["3600"])


def _staged(data: bytes) -> object:
    """The complaints in `multipath -t`'s stderr and what is known by them."""
    found = multipath.parse_warnings(said(data))
    run = answering("", 0, said(data))
    return found, [str(w) for w in found], multipath.keywords_known(run, "device", ["prio", "failback"])


def _conf(data: bytes) -> object:
    conf = multipathconf.parse(text(data))
    merged = multipathconf.merge((conf, conf))
    sections = ("blacklist", "blacklist_exceptions")
    return (
        multipathconf.devices(merged),
        multipathconf.multipaths(merged),
        multipathconf.protocols(conf),
        multipathconf.value(conf, "defaults", "polling_interval"),
        [(multipathconf.blacklist(conf, s), multipathconf.blacklisted_devices(conf, s)) for s in sections],
        multipath.device_for(multipath.table(merged), "NEXENTA", "COMSTAR", "1.0"),
        conf,
    )


def _keys(data: bytes) -> object:
    """Read, changed, and read again as what it was changed to."""
    said_before = keyfile.values(text(data))
    changes = {"node.startup": "manual", "iface.hwaddress": None, "new.key": "new"}
    after = keyfile.values(keyfile.with_values(text(data), changes))
    assert after.get("node.startup") == "manual"
    assert "iface.hwaddress" not in after
    return said_before, iscsidb.record_text_with(text(data), changes), keyfile.with_values(text(data), {}) == text(data)


def _of_record(data: bytes) -> object:
    return iscsidb.node("/x", text(data), (PORTAL, 1), "iqn.x"), iscsidb.iface("x", text(data))


def _sysctl(data: bytes) -> object:
    found = sysctl.parse("/etc/sysctl.d/1.conf", text(data))
    key = sysctl.key_of("eth1", "rp_filter")
    return (
        found,
        sysctl.winner([("/a.conf", text(data)), ("/b.conf", text(data))], key),
        [s.matches(key) for s in found],
    )


def _rules(data: bytes) -> object:
    return [ip.rule_delete(rule) for rule in ip.parse_rules(said(data))], ip.rules(answering(said(data)), 4)


UNITS = ("iscsid.service", "open-iscsi.service", "iscsi.service", "multipathd.service")
SETTINGS = partial(files, "/iscsid.conf", "/nodes/", "/ifaces/", "initiatorname")


def _bindings() -> tuple[bytes, ...]:
    return (*files("/bindings"), b"# alias wwid\nmpatha 3600144f0f484400000004e8685e70001\nmpathb 3600 # x\n")


def _tables(data: bytes) -> object:
    said = text(data)
    named = mounttab.parse_crypttab(said), mounttab.parse_lvm_devices(said)
    return named, mounttab.parse_detection(said)


def _judged(data: bytes) -> object:
    """A file without its host: what is wrong with its lines, and each brace that it lacks."""
    found = conf.of_file("/x.conf", text(data))
    assert multipathmend.mended(multipathmend.mended(text(data))[0])[2] == ()
    return [conf_lines.line_of(f) for f in found], found


def _migrated(data: bytes) -> object:
    """What a drop-in says is read back without a word of the grammar's."""
    drop_in = migrate.drop_in(text(data), "/etc/multipath.conf", Dialect())
    assert multipathconf.parse(drop_in).remarks == ()
    return drop_in


def _confs() -> tuple[bytes, ...]:
    return files("/multipath") + outs("multipath/*", "sane/multipath-t") + (BLACKLIST, OVERRIDES)


def _of_iscsid(text: str) -> object:
    log = iscsidlog.parse_log(text)
    pairs = {5: Pair("a", Portal("10.0.0.1"), "iqn.x:1")}
    return log, list(iscsidlog.refusals(log, pairs).items()), iscsidlog.passing(log)


READERS = (
    Reader("iscsiadm-version", of_program(iscsitext.parse_version), partial(outs, "*/iscsiadm-version")),
    Reader("iscsiadm-ifaces", of_program(iscsitext.parse_ifaces), partial(outs, "*/iscsiadm-iface*")),
    Reader("iscsiadm-records", of_program(iscsitext.parse_records), partial(outs, "steps/*-show")),
    Reader("iscsiadm-discovery", of_program(iscsitext.parse_discovery), partial(outs, "*/*discover*")),
    Reader("iscsiadm-sessions", of_program(iscsitext.parse_sessions), partial(outs, "*/iscsiadm-session")),
    Reader("iscsiadm-details", of_program(iscsitext.parse_session_details), partial(outs, "*/*session-P3*")),
    Reader("iscsiadm-login-error", of_program(iscsitext.parse_login_error), partial(errs, "*/session-login*")),
    Reader("iscsid-journal", of_program(_of_iscsid), lambda: (ISCSID, *outs("*/journalctl-units"))),
    Reader("iscsiadm-login-errors", of_program(iscsitrial.parse_login_errors), lambda: (NOT_LOGGED_IN,)),
    Reader("iscsiadm-refused", _refused, partial(errs, "steps/disc*", "*/session-login*")),
    Reader("iscsiadm-record", _record, partial(outs, "steps/*-show")),
    Reader("multipathd-maps", _maps, partial(outs, "*/multipathd-maps")),
    Reader("multipathd-map", _one_map, partial(outs, "*/multipathd-map")),
    Reader("multipathd-config", _held, partial(outs, "*/multipathd-config"), (UnreadableOutput, multipathd.NotRunning)),
    Reader("iscsiadm-asked", _discovered, partial(outs, "*/*discovery-1*")),
    Reader("multipathd-daemon", of_program(multipathd.parse_daemon), partial(outs, "*/multipathd-daemon")),
    Reader("multipath-t", _effective, partial(outs, "multipath/*", "sane/multipath-t")),
    Reader("multipath-warnings", _staged, partial(errs, "multipath/*")),
    Reader("multipath-conf", _conf, _confs),
    Reader("multipath-lint", _judged, _confs, (), slow=True),
    Reader("multipath-migrate", _migrated, _confs, (), slow=True),
    Reader("iscsid-lint", _judged, SETTINGS, (), slow=True),
    Reader("multipath-bindings", of_file(multipathnames.parse_bindings), _bindings),
    Reader("mount-tables", _tables, lambda: (CRYPTTAB, LVM_DEVICES, LVM_CONF)),
    Reader("multipath-wwids", of_file(multipath.parse_wwids), partial(files, "/wwids")),
    Reader("key-file", _keys, SETTINGS),
    Reader("iscsi-record", _of_record, SETTINGS),
    Reader("wwid", of_file(wwid.wwid), lambda: WWIDS, (ValueError,)),
    Reader("wwid-of-lun", of_file(wwid.of_lun), lambda: WWIDS, (ValueError,)),
    Reader("ip-addresses", of_program(ip.parse_addresses), partial(outs, "*/ip-addr")),
    Reader("ip-route", of_program(ip.parse_route), partial(outs, "*/ip-route-*")),
    Reader("ip-rules", _rules, lambda: (*outs("*/ip-rules-*"), RULE)),
    Reader("ip-own-routes", of_program(ip.parse_own_routes), lambda: (*outs("*/ip-own-routes-*"), ROUTE)),
    Reader("ip-routes-over", of_program(ip.parse_routes_over), partial(outs, "*/ip-routes-over-*")),
    Reader("dmsetup-info", of_program(dmsetup.parse_info), partial(outs, "*/dmsetup-info")),
    Reader("dmsetup-status", of_program(dmsetup.parse_status), partial(outs, "*/dmsetup-status")),
    Reader("dmsetup-sectors", of_program(dmsetup.parse_sectors), partial(outs, "*/dmsetup-status")),
    Reader("systemctl", of_program(lambda t: systemctl.parse_units(t, UNITS)), partial(outs, "*/systemctl-*")),
    Reader(
        "systemctl-aliases",
        lambda data: systemctl.aliases(answering(said(data)), UNITS),
        partial(outs, "*/systemctl-*"),
    ),
    Reader("sysctl.d", _sysctl, lambda: (*files("/sysctl"), SYSCTL)),
    Reader("dpkg-status", of_file(lambda t: dpkg.parse_status(t, ("open-iscsi", "x"))), lambda: (PACKAGE,)),
    Reader("journal", of_program(bundle.of_kernel), partial(outs, "*/journalctl-*")),
)
