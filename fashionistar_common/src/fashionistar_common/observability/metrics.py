"""Numbers for Prometheus.

    SOLD = counter("shop_sold", "Pieces sold.", ("colour",))
    SOLD.labels("red").inc()

Without prometheus-client, of the extra `observability`, they count nothing and cost nothing. Labels come from the code
(routes, queues, names of handlers), never from what a caller sends: each new value is a time series for ever.

What is not counted but looked up when somebody asks, as the length of a queue, is a reading:

    @reading
    def shelves() -> Iterator[Reading]:
        yield Reading("shop_pieces", "Pieces on the shelves.", Piece.objects.count())
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol, Self, cast

try:
    import prometheus_client
except ImportError:
    prometheus_client = None  # type: ignore[assignment]

PREFIX = "fashionistar_"
#: Seconds; from a cached answer to the time limit of a proxy.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Counter(Protocol):
    """Only grows."""

    def labels(self, *values: str) -> Self: ...
    def inc(self, amount: float = 1) -> None: ...


class Gauge(Counter, Protocol):
    """Goes up and down."""

    def dec(self, amount: float = 1) -> None: ...
    def set(self, value: float) -> None: ...


class Histogram(Protocol):
    """Counts how many values lie below each bound."""

    def labels(self, *values: str) -> Self: ...
    def observe(self, amount: float) -> None: ...


class _Nothing:
    """What counts nothing, in place of each kind."""

    def labels(self, *values: str) -> Self:
        return self

    def inc(self, amount: float = 1) -> None:
        return

    dec = set = observe = inc


@cache
def counter(name: str, doc: str, labels: tuple[str, ...] = ()) -> Counter:
    """The counter of this name, `fashionistar_<name>_total` in Prometheus; made once in a process."""
    if prometheus_client is None:
        return _Nothing()
    return cast(Counter, prometheus_client.Counter(PREFIX + name, doc, labels))


@cache
def gauge(name: str, doc: str, labels: tuple[str, ...] = ()) -> Gauge:
    """The gauge of this name; with several processes, the sum over those that live."""
    if prometheus_client is None:
        return _Nothing()
    return cast(Gauge, prometheus_client.Gauge(PREFIX + name, doc, labels, multiprocess_mode="livesum"))


@cache
def histogram(name: str, doc: str, labels: tuple[str, ...] = (), buckets: tuple[float, ...] = SECONDS) -> Histogram:
    """The histogram of this name, with these upper bounds."""
    if prometheus_client is None:
        return _Nothing()
    return cast(Histogram, prometheus_client.Histogram(PREFIX + name, doc, labels, buckets=buckets))


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of one moment. Readings of one name have one `doc` and the same label names."""

    name: str
    doc: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


type Reader = Callable[[], Iterable[Reading]]

#: Every reader of this process, by its name.
readers: dict[str, Reader] = {}


def reading[R: Reader](reader: R) -> R:
    """Call the decorated function at every scrape. It asks what an index answers, and may fail without harm."""
    readers[f"{reader.__module__}.{reader.__qualname__}"] = reader
    return reader


class _Readings:
    """Readings in the form of the client library's collectors."""

    def __init__(self, found: Sequence[Reading]) -> None:
        self.found = found

    def collect(self) -> Iterable[Any]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        families: dict[str, Any] = {}
        for one in self.found:
            name = PREFIX + one.name
            if name not in families:
                families[name] = GaugeMetricFamily(name, one.doc, labels=list(one.labels))
            families[name].add_metric(list(one.labels.values()), one.value)
        return families.values()


def exposition(found: Sequence[Reading], *, accept: str) -> tuple[bytes, str]:
    """Everything counted so far and these readings, as a body and its content type.

    With `PROMETHEUS_MULTIPROC_DIR` the counts are those of all processes that use this folder; the client library's
    own numbers of a process (memory, open files, garbage) are then left out, for they would be of one only.
    """
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.multiprocess import MultiProcessCollector

    counted: Any = prometheus_client.REGISTRY
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        _bury(Path(folder))
        counted = prometheus_client.CollectorRegistry()
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    looked_up = prometheus_client.CollectorRegistry()
    looked_up.register(cast(Any, _Readings(found)))
    encode, content_type = choose_encoder(accept)
    if "openmetrics" in content_type:  # it ends with a mark, so two cannot be joined
        content_type = prometheus_client.CONTENT_TYPE_LATEST
        encode = prometheus_client.generate_latest
    return encode(looked_up) + encode(counted), content_type


def _bury(folder: Path) -> None:
    """Forget what processes that are no more had in progress."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit():
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                with suppress(FileNotFoundError):  # another scrape was quicker
                    file.unlink()
            except PermissionError:
                continue  # it lives, under another user
