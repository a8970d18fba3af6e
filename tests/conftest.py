from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

# Slow machines are no mistake, and `make test` says the same of the same tree each time; the long form looks further.
settings.register_profile("test", deadline=None, derandomize=True)
# How fast a machine that runs guests beside makes examples says nothing of what is tried with them.
settings.register_profile("nightly", deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.too_slow])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--nightly", action="store_true", help="run the long forms too")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs with SIGINT ignored, and so would be every program whose Ctrl-C is tested here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup does the same to this one
    settings.load_profile("nightly" if config.getoption("--nightly") else "test")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long forms are no part of `make test`: deselected, which is counted; skipped would look like a gap."""
    if config.getoption("--nightly"):
        return
    long = [item for item in items if item.get_closest_marker("nightly")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What long forms have counted (`record_property("figures", …)`), to be quoted."""
    for report in terminalreporter.getreports("passed"):
        for name, line in report.user_properties:
            if name == "figures":
                terminalreporter.write_line(str(line))
