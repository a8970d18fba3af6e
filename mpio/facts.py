"""What host this is, and which versions of what it runs."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import shlex

import mpio
from mpio.errors import MpioError
from mpio.host import Host
from mpio.machine import Machine
from mpio.plan.shape import INITIATOR_NAME
from mpio.report.page import Facts
from mpio.tools import dpkg, iscsiadm, keyfile

RELEASES = ("/etc/os-release", "/usr/lib/os-release")
PACKAGES = ("open-iscsi", "multipath-tools")


def of(machine: Machine, host: Host) -> Facts:
    return Facts(
        name=os.uname().nodename,
        time=datetime.datetime.now(datetime.UTC).astimezone().isoformat(" ", "seconds"),
        versions=versions(machine),
        initiator=_initiator(machine, host),
    )


def versions(machine: Machine) -> tuple[tuple[str, str], ...]:
    packages: dict[str, str] = {}
    with contextlib.suppress(MpioError):
        packages = dpkg.versions(machine.files, PACKAGES)
    if "open-iscsi" not in packages:
        packages |= _asked(machine)
    return (
        ("mpio", mpio.__version__),
        ("Python", platform.python_version()),
        ("Linux", os.uname().release),
        *packages.items(),
        ("on", _distribution(machine)),
    )


def _asked(machine: Machine) -> dict[str, str]:
    try:
        return {"open-iscsi": iscsiadm.version(machine.run)}
    except MpioError:
        return {}


def _distribution(machine: Machine) -> str:
    try:
        text = next((t for path in RELEASES if (t := machine.files.text(path))), "")
    except MpioError:
        text = ""
    line = next((line for line in text.splitlines() if line.startswith("PRETTY_NAME=")), "")
    try:
        # shlex takes quadratic time, and no distribution is called longer than this
        return " ".join(shlex.split(line.partition("=")[2][:200])) or "an unknown distribution"
    except ValueError:
        return "an unknown distribution"


def _initiator(machine: Machine, host: Host) -> str:
    """What the live sessions said they are; without one what is written for the next."""
    for session in host.sessions:
        if session.initiatorname:
            return session.initiatorname
    try:
        return keyfile.values(machine.files.text(INITIATOR_NAME) or "").get("InitiatorName", "")
    except MpioError:
        return ""
