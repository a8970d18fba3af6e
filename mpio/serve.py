"""Samples as Prometheus text: the only importer of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpio.metrics import COUNTERS, HELP, Sample

if TYPE_CHECKING:
    from prometheus_client import Metric

# The format that every scraper reads.
TYPE = "text/plain; version=0.0.4; charset=utf-8"


def warm() -> None:
    """Load now what the first text would load."""
    text(())


def text(samples: Iterable[Sample]) -> str:
    from prometheus_client import generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    families: dict[str, Metric] = {}
    for sample in samples:
        family = families.get(sample.name)
        if family is None:
            kind = CounterMetricFamily if sample.name in COUNTERS else GaugeMetricFamily
            family = families[sample.name] = kind(sample.name, HELP[sample.name])
        # Names of others may hold bytes that are no text, which the format has no place for.
        labels = {name: said.encode("utf-8", "backslashreplace").decode() for name, said in sample.labels}
        family.add_sample(sample.name, labels, sample.value)
    return generate_latest(_Collected(tuple(families.values()))).decode()


@dataclass(frozen=True, slots=True)
class _Collected:
    """Families as a registry gives them."""

    families: tuple[Metric, ...]

    def collect(self) -> Iterator[Metric]:
        return iter(self.families)
