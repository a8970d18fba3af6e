from __future__ import annotations

from mpio.recording import Tree
from mpio.tools import dpkg

STATUS = """\
Package: open-iscsi
Status: install ok installed
Priority: optional
Version: 2.1.8-1
Description: iSCSI initiator tools
 Version: no field, but a line of the description

Package: open-iscsi-udeb
Status: install ok installed
Version: 9

Package: multipath-tools
Status: deinstall ok config-files
Version: 0.9.4-3
"""


def test_versions_of_what_is_installed() -> None:
    assert dpkg.parse_status(STATUS, ("multipath-tools", "open-iscsi", "none")) == {"open-iscsi": "2.1.8-1"}
    assert dpkg.versions(Tree({dpkg.STATUS: STATUS}, {}), ["open-iscsi"]) == {"open-iscsi": "2.1.8-1"}


def test_hosts_without_dpkg_say_nothing() -> None:
    assert dpkg.versions(Tree({}, {}), ["open-iscsi"]) == {}
    assert dpkg.parse_status("\x00", ["open-iscsi"]) == {}
