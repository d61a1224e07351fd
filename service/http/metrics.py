"""What Prometheus reads; each application has a registry of its own."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from models.manifest import Manifest
from service.batcher import Batcher, BatchRecord
from service.errors import OversizedImages, ServiceError, UndecodableImages

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters and histograms of one application."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "lossatlas_requests", "Requests", ("route", "method", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "lossatlas_request_seconds", "Time to a whole answer", ("route",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self.decode_failures = Counter(
            "lossatlas_decode_failures", "Images refused", ("reason",), registry=registry
        )
        model = ("model", "version")
        self._queue = Gauge(
            "lossatlas_queue_items", "Images held, waiting or in work", model, registry=registry
        )
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
            "lossatlas_model_ready", "1 for each model that answers", (*model, "provider"),
            registry=registry,
        )  # fmt: skip

    def observe_batch(self, manifest: Manifest, record: BatchRecord) -> None:
        """Count one batch that ran."""
        labels = (manifest.name, str(manifest.version))
        self._batch_items.labels(*labels).observe(record.items)
        self._wait_seconds.labels(*labels).observe(record.waited_s)
        self._inference_seconds.labels(*labels).observe(record.inference_s)

    def follow(self, manifest: Manifest, batcher: Batcher, provider: str) -> None:
        """Show a model that is now ready, and its queue."""
        labels = (manifest.name, str(manifest.version))
        self._queue.labels(*labels).set_function(partial(_items, batcher))
        self._info.labels(*labels, provider).set(1)

    def count_refusal(self, error: ServiceError) -> None:
        """Count the images that could not be decoded, by reason."""
        if isinstance(error, UndecodableImages):
            self.decode_failures.labels("undecodable").inc(len(error.indexes))
        elif isinstance(error, OversizedImages):
            self.decode_failures.labels("too_large").inc(len(error.indexes))

    def exposition(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self._registry)


def _items(batcher: Batcher) -> float:
    return batcher.items
