"""Samples as Prometheus text: the only importer of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable

from mpio.metrics import HELP, Sample


def text(samples: Iterable[Sample]) -> str:
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for sample in samples:
        names = [name for name, _ in sample.labels]
        gauge = gauges.get(sample.name)
        if gauge is None:
            gauge = gauges[sample.name] = Gauge(sample.name, HELP[sample.name], names, registry=registry)
        child = gauge.labels(*(value for _, value in sample.labels)) if names else gauge
        child.set(sample.value)
    return generate_latest(registry).decode()
