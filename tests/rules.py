"""Alert rules for Prometheus, of the findings that the metrics of `mpio export` and `mpio watch --listen` show."""

from __future__ import annotations

import json

from mpio import findings

# By finding: when it is so, and for how long before somebody is told. A shorter time tells of what mends itself.
RULES = {
    "MP203": ("mpio_iface_carrier == 0", "15s", "{{ $labels.nic }}"),
    "MP210": ("mpio_portal_reachable == 0", "1m", "{{ $labels.iface }} -> {{ $labels.portal }}"),
    "MP304": ("mpio_session_up == 0", "1m", "{{ $labels.iface }} -> {{ $labels.portal }} {{ $labels.target }}"),
    "MP401": ("mpio_lun_paths_usable == 0", "0s", "{{ $labels.alias }} {{ $labels.wwid }}"),
    "MP402": ("mpio_lun_paths_usable < mpio_lun_paths_expected", "1m", "{{ $labels.alias }} {{ $labels.wwid }}"),
    "MP404": ("mpio_path_up == 0", "1m", "{{ $labels.dev }} of {{ $labels.alias }}"),
}
HEAD = """\
# Written by `make docs` from the table of findings; changes made here are lost.
# promtool check rules mpio.rules.yml
groups:
- name: mpio
  rules:
"""


def text() -> str:
    return HEAD + "".join(_rule(code, *how) for code, how in RULES.items())


def _rule(code: str, expression: str, lasting: str, subject: str) -> str:
    """JSON's strings are YAML's, too."""
    kind = findings.TABLE[code]
    said = {
        "summary": kind.summary.format(subject=subject),
        "description": kind.explanation,
        "remedy": kind.remedy.format(subject=subject, remedy=""),
    }
    lines = [
        f"  - alert: {code}",
        f"    expr: {expression}",
        f"    for: {lasting}",
        "    labels:",
        f"      severity: {'critical' if kind.severity.value == 'critical' else 'warning'}",
        f"      code: {code}",
        "    annotations:",
        *(f"      {name}: {json.dumps(words, ensure_ascii=False)}" for name, words in said.items()),
    ]
    return "\n".join(lines) + "\n"
