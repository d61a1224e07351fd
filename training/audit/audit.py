"""The audit of a folder: every search after the other, into one ranked list."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.audit.confident import LabelErrors, find_label_errors
from models.audit.neighbors import FAR_NEIGHBORS, far_out, nearest
from training.audit.embedding import AuditEmbedder, Vectors
from training.audit.findings import KINDS, Audit, AuditFinding, Counts, EmbeddingRecord, Kind, Part
from training.audit.images import AuditedFolder
from training.audit.legible import blank, misshapen
from training.audit.probe import FOLDS, cross_validated
from training.data.copies import count_searched, find_duplicates, find_leaks
from training.data.copy_features import places
from training.data.copy_search import Pair
from training.data.dataset import LabeledImages

SEARCHED = 50_000
"""Images of each part that are compared for near copies, at most."""
LISTED_SHARE = 0.05
"""Labels to list even where confident learning counts none of them as wrong."""
_CHANGES = 4  # of each image that a search for copies tries

Showing = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]


class _Case(NamedTuple):
    """One finding before it is ranked."""

    id: str
    part: Part
    label: int
    reason: str
    score: float | None = None
    other: str | None = None
    suggested: int | None = None
    probable: bool = True


@dataclass(frozen=True)
class Auditor:
    """Searches one folder; `showing` shows the progress of each search."""

    folder: AuditedFolder
    embedder: AuditEmbedder
    cache: Path
    showing: Showing

    def audit(self, data: str, command: str, created: datetime) -> Audit:
        """Search for everything."""
        leaks, duplicates = self._leaks(), list(self._duplicates())
        vectors = self._vectors()
        labels, accuracy = self._labels(vectors)
        cases: dict[Kind, list[_Case]] = {
            "leaks": leaks,
            "duplicates": duplicates,
            "labels": labels,
            "outliers": self._outliers(vectors),
            "unreadable": self._unreadable(),
        }
        probable = {kind: sum(case.probable for case in found) for kind, found in cases.items()}
        return Audit.model_validate(
            {
                "data": data,
                "sha256": self.folder.sha256,
                "classes": self.folder.class_names,
                "train": len(self.folder.train.paths),
                "test": len(self.folder.test.paths),
                "searched": SEARCHED,
                "embedding": EmbeddingRecord(
                    model=self.embedder.name,
                    sha256=self.embedder.sha256,
                    dimension=vectors.shape[1],
                    accuracy=accuracy,
                ),
                "counts": Counts(**probable),
                "findings": tuple(self._ranked(cases)),
                "command": command,
                "created": created,
            }
        )

    def _ranked(self, cases: dict[Kind, list[_Case]]) -> Iterator[AuditFinding]:
        names = self.folder.class_names
        for kind in KINDS:
            for rank, case in enumerate(cases[kind], start=1):
                facts = case._asdict() | {
                    "id": printable(case.id),
                    "other": None if case.other is None else printable(case.other),
                    "label": names[case.label],
                    "suggested": None if case.suggested is None else names[case.suggested],
                }
                yield AuditFinding(kind=kind, rank=rank, **facts)

    def _leaks(self) -> list[_Case]:
        train, test = (part.images for part in self.folder.parts)
        if not len(train) or not len(test):
            return []
        with self.showing("leaks", _CHANGES * count_searched(test, SEARCHED), "images") as step:
            pairs = find_leaks(train, test, SEARCHED, step)
        return [self._copy(pair, ("test", test), train, "training image") for pair in pairs]

    def _duplicates(self) -> Iterator[_Case]:
        for part in self.folder.parts:
            images = part.images
            total = _CHANGES * count_searched(images, SEARCHED)
            with self.showing(f"duplicates in {part.name}", total, "images") as step:
                pairs = find_duplicates(images, SEARCHED, step) if total else ()
            for pair in pairs:
                yield self._copy(pair, (part.name, images), images, "image")

    def _copy(
        self, pair: Pair, own: tuple[Part, LabeledImages], others: LabeledImages, what: str
    ) -> _Case:
        part, images = own
        label, other = int(images.labels[pair.row]), int(others.labels[pair.other])
        kind = "equal pixels" if pair.exact else f"differs by {pair.difference:.1f} of 255"
        contradiction = (
            "" if label == other else f"; that one is labeled {self.folder.class_names[other]}"
        )
        return _Case(
            id=images.ids[pair.row],
            part=part,
            label=label,
            reason=f"copy of the {what} {printable(others.ids[pair.other])}: {kind}{contradiction}",
            score=pair.difference,
            other=others.ids[pair.other],
        )

    def _vectors(self) -> Vectors:
        images = self.folder.both.images.numpy()
        with self.showing("embedding", len(images), "images") as step:
            return self.embedder.embed(images, self.cache, step)

    def _labels(self, vectors: Vectors) -> tuple[list[_Case], float]:
        """Judge the labels of the classes with two images at least."""
        both = self.folder.both
        counts = np.bincount(both.labels.numpy(), minlength=len(self.folder.class_names))
        classes = np.flatnonzero(counts >= 2)
        rows = np.flatnonzero(counts[both.labels.numpy()] >= 2)
        if len(classes) < 2:
            return [], 0.0
        labels = np.searchsorted(classes, both.labels.numpy()[rows]).astype(np.int64)
        gray = places(both.images[rows].numpy())
        with self.showing("labels", 2 * FOLDS, "fits") as step:
            probabilities = cross_validated(vectors[rows], gray, labels, step)
        found = find_label_errors(labels, probabilities)
        listed = found.ranked[: max(_last_probable(found), round(LISTED_SHARE * len(labels)))]
        cases = [
            _Case(
                id=both.ids[rows[row]],
                part=self._part_of(int(rows[row])),
                label=int(classes[labels[row]]),
                reason=f"looks like {self.folder.class_names[classes[found.suggested[row]]]}"
                if found.suggested[row] != labels[row]
                else "hardly looks like its class",
                score=float(found.confidence[row]),
                suggested=int(classes[found.suggested[row]]),
                probable=bool(found.probable[row]),
            )
            for row in listed
        ]
        return cases, float((found.suggested == labels).mean())

    def _outliers(self, vectors: Vectors) -> list[_Case]:
        both = self.folder.both
        if len(vectors) <= FAR_NEIGHBORS:
            return []
        with self.showing("outliers", len(vectors), "images") as step:
            near = nearest(vectors, FAR_NEIGHBORS, self.embedder.metric, step)
        remote = near.remoteness()
        found = np.flatnonzero(far_out(remote))
        return [
            _Case(
                id=both.ids[row],
                part=self._part_of(int(row)),
                label=int(both.labels[row]),
                reason=f"far from every other image ({remote[row]:.3g}; half of all are within "
                f"{np.median(remote):.3g})",
                score=float(remote[row]),
            )
            for row in found[np.argsort(-remote[found], kind="stable")]
        ]

    def _unreadable(self) -> list[_Case]:
        cases = [_Case(one.id, one.part, one.label, one.reason) for one in self.folder.broken]
        size_px = self.embedder.preprocess.size_px
        for part in self.folder.parts:
            with self.showing(f"sizes of {part.name}", len(part.paths), "images") as step:
                odd = misshapen(part.paths, size_px, step)
            plain = blank(part.images.images.numpy())
            for row in sorted(odd.keys() | plain.keys()):
                reasons = [odd[row]] if row in odd else []
                reasons += (
                    [f"blank: its pixels span {plain[row]:.1f} of 255"] if row in plain else []
                )
                label = int(part.images.labels[row])
                cases.append(_Case(part.images.ids[row], part.name, label, "; ".join(reasons)))
        return cases

    def _part_of(self, row: int) -> Part:
        return "train" if row < len(self.folder.train.paths) else "test"


def printable(name: str) -> str:
    """A path as text; bytes that are not UTF-8 are spelled out."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _last_probable(found: LabelErrors) -> int:
    """Count the images of the ranking up to the last probable error."""
    places_ = np.flatnonzero(found.probable[found.ranked])
    return int(places_[-1]) + 1 if len(places_) else 0
