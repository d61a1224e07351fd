"""Answers of models as metrics: labels, unknown images, confidence, and its shift.

Answers are counted in plain lists on the way and passed on to Prometheus when it asks, or once a
second, so that counting costs a request next to nothing.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from models.bundle import Bundle

BINS = 15  # of the probability, as the report's reliability has them
SCORE_BINS = 20  # of a cosine, -1 to 1
MOST_LABELS = 100
OTHER = "other"
_MEMORY = 1_000  # images after which the weight of one has fallen to 37 %
_FEWEST = 200  # images before a distance is shown
_UNSEEN = 0.5  # images added to each bin, so that an empty one has a finite distance


class Predictions:
    """The counters of one application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        model = ("model", "version")
        self._labels = Counter(
            "lossatlas_predictions", "Images by the label that they were given",
            (*model, "label"), registry=registry,
        )  # fmt: skip
        self._unknown = Counter(
            "lossatlas_unknown_images", "Images called unknown, or not, where a rule was measured",
            (*model, "unknown"), registry=registry,
        )  # fmt: skip
        self._probability = Counter(
            "lossatlas_top_probability", "Images by their highest probability, from `low` on",
            (*model, "low"), registry=registry,
        )  # fmt: skip
        self._nearest = Counter(
            "lossatlas_nearest_cosine", "Images by the cosine of their nearest item, from `low` on",
            (*model, "low"), registry=registry,
        )  # fmt: skip
        self._shift = Gauge(
            "lossatlas_probability_psi",
            "Population stability index of recent top probabilities against the test set's",
            model, registry=registry, multiprocess_mode="livemax",
        )  # fmt: skip
        self._tallies: dict[tuple[str, int], Tally] = {}

    def of(self, bundle: Bundle) -> "Tally":
        """The tally of one version of one model; its report is read once."""
        manifest = bundle.manifest
        key = (manifest.name, manifest.version)
        found = self._tallies.get(key)
        if found is None or found.bundle is not bundle:  # a reload may have changed the version
            found = self._tallies[key] = Tally(bundle)
        return found

    def flush(self) -> None:
        """Pass on what was counted since the last time."""
        for (name, version), tally in self._tallies.items():
            self._flush((name, str(version)), tally)

    def _flush(self, model: tuple[str, str], tally: "Tally") -> None:
        labels, unknown, bins, scores = tally.take()
        for label, count in labels.items():
            self._labels.labels(*model, label).inc(count)
        for said, count in unknown.items():
            self._unknown.labels(*model, "true" if said else "false").inc(count)
        for family, counts, low, width in (
            (self._probability, bins, 0.0, 1 / BINS),
            (self._nearest, scores, -1.0, 2 / SCORE_BINS),
        ):
            for place, count in enumerate(counts):
                if count:
                    family.labels(*model, f"{low + place * width:.3g}").inc(count)
        shift = tally.shift(bins)
        if shift is not None:
            self._shift.labels(*model).set(shift)


class Tally:
    """The answers of one version of one model since they were last taken."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._names = frozenset(bundle.manifest.labels[:MOST_LABELS])
        self._expected = [one.count for one in bundle.report.confidence.after.reliability]
        self._recent = [0.0] * BINS
        self._clear()

    def note(self, predictions: Iterable[dict[str, Any]]) -> None:
        """Count the predictions of one request, as they are answered."""
        for one in predictions:
            label = one["label"] if one["label"] in self._names else OTHER
            self._labels[label] = self._labels.get(label, 0) + 1
            self._bins[min(int(one["probability"] * BINS), BINS - 1)] += 1
            if (unknown := one["unknown"]) is not None:
                self._unknown[unknown] = self._unknown.get(unknown, 0) + 1

    def note_nearest(self, cosines: Iterable[float]) -> None:
        """Count the nearest item's cosine of each query."""
        for one in cosines:
            self._scores[max(0, min(int((one + 1) / 2 * SCORE_BINS), SCORE_BINS - 1))] += 1

    def take(self) -> tuple[dict[str, int], dict[bool, int], list[int], list[int]]:
        """Return what was counted, and begin anew."""
        found = self._labels, self._unknown, self._bins, self._scores
        self._clear()
        return found

    def shift(self, bins: Sequence[int]) -> float | None:
        """The index over recent images, with these new ones; None for too few of either."""
        kept = math.exp(-sum(bins) / _MEMORY)
        self._recent = [kept * one + new for one, new in zip(self._recent, bins, strict=True)]
        if sum(self._recent) < _FEWEST or len(self._expected) != BINS:
            return None
        return stability_index(self._recent, self._expected)

    def _clear(self) -> None:
        self._labels: dict[str, int] = {}
        self._unknown: dict[bool, int] = {}
        self._bins, self._scores = [0] * BINS, [0] * SCORE_BINS


def stability_index(seen: Sequence[float], expected: Sequence[float]) -> float:
    """PSI: the sum of (p - q) ln(p / q); under 0.1 is calm, over 0.25 another distribution.

    >>> stability_index([100, 100], [1000, 1000])
    0.0
    >>> round(stability_index([180, 20], [1000, 1000]), 2)
    0.86
    """
    p, q = (
        [(one + _UNSEEN) / (sum(counts) + _UNSEEN * len(counts)) for one in counts]
        for counts in (seen, expected)
    )
    return sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
