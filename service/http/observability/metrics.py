"""Metrics for Prometheus: of one application, or of all the workers behind one port.

Workers share a folder of small mapped files, as prometheus-client has it for this purpose, so that
a scrape says the same whichever worker it meets.
"""

import asyncio
import os
from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from models.manifest import Manifest
from service.errors import (
    ClientGone,
    DeadlineExceeded,
    Overloaded,
    OversizedImages,
    Stopping,
    UndecodableImages,
)
from service.http.observability.predictions import Predictions
from service.http.observability.process import ProcessMetrics
from service.http.transport.budget import BodyBudget
from service.inference.batch import BatchRecord
from service.inference.batcher import Batcher
from service.inference.engine import Engine
from service.processes.workers import PROMETHEUS_DIR

CONTENT_TYPE = CONTENT_TYPE_LATEST
REFRESH_S = 1.0  # age of the queues that another worker shows
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DROPS: dict[type[Exception], str] = {
    Overloaded: "overloaded",
    DeadlineExceeded: "deadline",
    ClientGone: "client_gone",
    Stopping: "stopping",
}
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters and histograms of one application."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "lossatlas_requests", "Requests", ("route", "method", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "lossatlas_request_seconds", "Time to a whole answer, not to a refusal", ("route",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._decode_seconds = Histogram(
            "lossatlas_decode_seconds",
            "Time to decode the images of one request, or the small images of one batch",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._decode_failures = Counter(
            "lossatlas_decode_failures", "Images refused", ("reason",), registry=registry
        )
        self._dropped = Counter(
            "lossatlas_dropped_requests", "Requests not answered, by why", ("reason",),
            registry=registry,
        )  # fmt: skip
        model = ("model", "version")
        self._queue = Gauge(
            "lossatlas_queue_items", "Images held, waiting or in work", model,
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._queue_limit = Gauge(
            "lossatlas_queue_limit_items", "Images that may be held now", model,
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._batch_limit = Gauge(
            "lossatlas_batch_limit_items", "Images that one batch may take, in the slowest worker",
            model, registry=registry, multiprocess_mode="livemin",
        )  # fmt: skip
        self._batch_items = Histogram(
            "lossatlas_batch_items", "Images in a batch", model, buckets=_ITEMS, registry=registry
        )
        self._wait_seconds = Histogram(
            "lossatlas_batch_wait_seconds", "Longest wait of a batch's images", model,
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._inference_seconds = Histogram(
            "lossatlas_inference_seconds", "Time to run one batch", model,
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._info = Gauge(
            "lossatlas_model_ready", "Workers in which the model answers",
            (*model, "provider"),
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._precision = Gauge(
            "lossatlas_model_precision", "Workers in which this of the model's graphs answers",
            (*model, "precision"), registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self._put_items = Counter(
            "lossatlas_collection_items_put", "Items added or replaced", registry=registry
        )
        self._deleted_items = Counter(
            "lossatlas_collection_items_deleted", "Items deleted", registry=registry
        )
        self._put_seconds = Histogram(
            "lossatlas_collection_put_seconds", "Time until one batch of items was durable",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._search_seconds = Histogram(
            "lossatlas_collection_search_seconds", "Time to search a collection for one request",
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._body_bytes = Gauge(
            "lossatlas_body_bytes", "Bytes of request bodies held",
            registry=registry, multiprocess_mode="livesum",
        )  # fmt: skip
        self.predictions = Predictions(registry)
        self.process = ProcessMetrics(registry)
        self._budget: BodyBudget | None = None
        self._batchers: dict[tuple[str, str], Batcher] = {}
        self._of_request = lru_cache(1024)(self._request_children)

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request.

        Only what was answered as it was asked has a time: refusals take next to none, and would
        make an overloaded service look fast.
        """
        requests, request_seconds = self._of_request(route, method, status)
        requests.inc()
        if status < HTTPStatus.BAD_REQUEST:
            request_seconds.observe(seconds)

    def observe_decode(self, seconds: float) -> None:
        """Note how long the images of one request took to decode."""
        self._decode_seconds.observe(seconds)

    def batch_observer(self, manifest: Manifest) -> Callable[[BatchRecord], None]:
        """Return an observer of each batch of this model."""
        labels = (manifest.name, str(manifest.version))
        items, wait_seconds, inference_seconds = (
            family.labels(*labels)
            for family in (self._batch_items, self._wait_seconds, self._inference_seconds)
        )

        def observe(record: BatchRecord) -> None:
            if record.decode_s:
                self._decode_seconds.observe(record.decode_s)
            items.observe(record.items)
            wait_seconds.observe(record.waited_s)
            inference_seconds.observe(record.inference_s)

        return observe

    def follow(self, engine: Engine) -> None:
        """Show a model that is now ready, and its queue."""
        labels = (engine.manifest.name, str(engine.manifest.version))
        self._batchers[labels] = engine.batcher
        self._info.labels(*labels, engine.provider).set(1)
        self._precision.labels(*labels, engine.precision).set(1)

    def forget(self, engine: Engine) -> None:
        """Show a model no more, which answers no longer."""
        labels = (engine.manifest.name, str(engine.manifest.version))
        if self._batchers.pop(labels, None) is None:
            return
        for gauge in (self._queue, self._queue_limit, self._batch_limit):
            gauge.labels(*labels).set(0)
        self._info.labels(*labels, engine.provider).set(0)
        self._precision.labels(*labels, engine.precision).set(0)

    def follow_bodies(self, budget: BodyBudget) -> None:
        """Show how much of this budget is taken."""
        self._budget = budget

    async def keep_showing(self) -> None:
        """Note how long the queues are, so that the other workers can tell; until cancelled."""
        while PROMETHEUS_DIR in os.environ:
            self._note_queues()
            await asyncio.sleep(REFRESH_S)

    def count_refusal(self, error: Exception) -> None:
        """Count what was refused or dropped, by reason."""
        if isinstance(error, UndecodableImages):
            self._decode_failures.labels("undecodable").inc(len(error.indexes))
        elif isinstance(error, OversizedImages):
            self._decode_failures.labels("too_large").inc(len(error.indexes))
        elif (reason := _DROPS.get(type(error))) is not None:
            self._dropped.labels(reason).inc()

    def observe_put(self, items: int, seconds: float) -> None:
        """Note items that are durable, and how long that took."""
        self._put_items.inc(items)
        self._put_seconds.observe(seconds)

    def count_deleted(self) -> None:
        """Count one deleted item."""
        self._deleted_items.inc()

    def observe_search(self, seconds: float) -> None:
        """Note how long one request's search of a collection took."""
        self._search_seconds.observe(seconds)

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        self._note_queues()
        if PROMETHEUS_DIR not in os.environ:
            return generate_latest(self._registry)
        of_all_workers = CollectorRegistry()
        MultiProcessCollector(of_all_workers)
        return generate_latest(of_all_workers)

    def _note_queues(self) -> None:
        self.predictions.flush()
        self.process.note()
        if self._budget is not None:
            self._body_bytes.set(self._budget.held_bytes)
        for labels, batcher in self._batchers.items():
            self._queue.labels(*labels).set(batcher.capacity.items)
            self._queue_limit.labels(*labels).set(batcher.capacity.limit)
            self._batch_limit.labels(*labels).set(batcher.limits.max_batch)

    def _request_children(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        requests = self._requests.labels(route, method, status)
        return requests, self._request_seconds.labels(route)


def forget_ended_workers() -> None:
    """Drop what workers that have ended say of the present; what they counted stays."""
    for file in Path(os.environ[PROMETHEUS_DIR]).glob("gauge_live*.db"):
        worker = int(file.stem.rpartition("_")[2])
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            mark_process_dead(worker)
