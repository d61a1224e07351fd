"""A published model's report anew, from its bundle and its data set: no run folder is needed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64

from models.bundle import Bundle
from models.files import sha256_of
from models.manifest import UnknownRule
from models.report import Figure, Report
from models.test_images import TestImages
from training import data
from training.data.copies import Copies, find_copies
from training.data.dataset import Dataset, LabeledImages, Splits
from training.data.sampling import stratified
from training.errors import InvalidRun
from training.evaluation.answers import Answers
from training.evaluation.classification import classification_section
from training.evaluation.confidence import confidence_section
from training.evaluation.cost import cost
from training.evaluation.elsewhere import OtherFolders, ServedAnswers, transfer, unknown_sets
from training.evaluation.figures.bundle import FigureData, draw_report
from training.evaluation.figures.confused import example_ids
from training.evaluation.graph import Graph
from training.evaluation.image_map import MapContents, shown_rows
from training.evaluation.leaks import leaks
from training.evaluation.pair_section import OTHERS, Others, pairs_section
from training.evaluation.retrieval import retrieval
from training.evaluation.robustness import robustness
from training.evaluation.sprite_sheets import draw_sheets
from training.evaluation.unknowns import unknowns
from training.evaluation.verification import verification
from training.recipes.recipe import Recipe

SECTIONS = (
    "classification",
    "confidence",
    "unknowns",
    "retrieval",
    "verification",
    "pairs",
    "robustness",
    "leaks",
    "transfer",
)
"""Those that a bundle's files and its data set can give, but for the cost."""
MAP = "map"
PARTS = (*SECTIONS, MAP)
"""The sections, and the map, which is a file of its own."""
_WITHOUT_FIGURES = {"pairs"}
_KEPT_FIGURES = ("feature-space", "plane")  # of weights that a bundle does not have


@dataclass(frozen=True)
class ReevaluationRequest:
    """The request to evaluate again: facts that the models share, and what is new."""

    dataset: Dataset
    cache: Path
    images: int
    """How many test images are changed for the robustness section, at most."""
    timed: bool = False
    """Whether the model is timed anew, which means something on a quiet machine only."""
    notes: tuple[str, ...] = ()
    only: tuple[str, ...] = PARTS
    """The parts to write; the others stay as they were published."""
    others: OtherFolders = field(default_factory=OtherFolders)
    pair_sets: tuple[Dataset, ...] = ()
    """Data sets of classes that the models were not trained on, for their pairs."""

    @property
    def sections(self) -> tuple[str, ...]:
        """The parts that are sections of the report."""
        return tuple(part for part in self.only if part in SECTIONS)


class Reevaluation:
    """Evaluates published models of one data set; what they share is computed once."""

    def __init__(self, asked: ReevaluationRequest) -> None:
        self._asked = asked
        self._copies: dict[tuple[float, int], Copies] = {}

    def report(
        self, bundle: Bundle, baseline: Int64[np.ndarray, " n"] | None
    ) -> tuple[Report, FigureData | None]:
        """The bundle's report with every section that its files and the data set can give.

        Geometry, pictures of the feature space, rounds without some classes, the learning curve
        and provenance stay as they were published. The material of figures is None where no
        section that is written anew has any. Raises InvalidRun where the data set is not
        the one that the model was trained on.
        """
        old = bundle.report
        splits = self.splits(old)
        graph = Graph(bundle.model_path, bundle.manifest.temperature, self._asked.cache)
        test, uncalibrated = graph.both(splits.test)
        calibration, gallery = (
            graph.answers(splits.calibration.read_to_calibrate()),
            _gallery(bundle),
        )
        metric, images = bundle.manifest.metric, splits.test.images.numpy()
        served = ServedAnswers(metric, gallery, calibration, test)
        spec, others = bundle.manifest.preprocess, self._asked.others
        write: dict[str, Callable[[], object]] = {
            "classification": lambda: classification_section(
                test, bundle.manifest.labels, baseline
            ),
            "confidence": lambda: confidence_section(
                test, uncalibrated, calibration, old.confidence.calibration
            ),
            "unknowns": lambda: unknowns(
                old.unknowns.rounds, metric, gallery, calibration, test
            ).model_copy(update={"sets": unknown_sets(graph.answers, spec, served, others)}),
            "retrieval": lambda: retrieval(test, gallery, metric),
            "verification": lambda: verification(test, metric),
            "pairs": lambda: pairs_section(
                calibration, test, metric, [_others(graph, one) for one in self._asked.pair_sets]
            ),
            "robustness": lambda: robustness(graph.ask, images, test.labels, self._asked.images),
            "leaks": lambda: leaks(test, self._copied(old, splits)),
            "transfer": lambda: transfer(graph.answers, spec, others),
        }
        parts = {name: write[name]() for name in self._asked.sections}
        parts["provenance"] = old.provenance.model_copy(
            update={
                "evaluated": datetime.now(UTC),
                "notes": self._asked.notes or old.provenance.notes,
            }
        )
        if self._asked.timed:
            tuning = splits.tuning.images.numpy()
            parts["cost"] = cost(bundle.model_path, bundle.manifest.parameters, tuning)
        report = old.model_copy(update=parts)
        if set(self._asked.sections) <= _WITHOUT_FIGURES and not self._asked.timed:
            return report, None
        return report, FigureData(splits.test.named(example_ids(report.classification)))

    def predicted(self, bundle: Bundle) -> Int64[np.ndarray, " n"]:
        """Predict the classes of the test images."""
        graph = Graph(bundle.model_path, bundle.manifest.temperature, self._asked.cache)
        return graph.answers(self.splits(bundle.report).test).predicted

    def shown(self, bundle: Bundle, rule: UnknownRule | None) -> MapContents:
        """Return the bundle's map, its answers from the graph. `rule` is a measured one.

        Raises InvalidRun where the gallery is not made of the data set's images.
        """
        splits, gallery = self.splits(bundle.report), _gallery(bundle)
        graph = Graph(bundle.model_path, bundle.manifest.temperature, self._asked.cache)
        row = {one: place for place, one in enumerate(splits.train.ids)}
        if missing := [one for one in gallery.ids if one not in row]:
            raise InvalidRun(f"{bundle.path}: no training image {missing[0]} of its gallery")
        shipped = splits.train.take(torch.tensor([row[one] for one in gallery.ids]).long())
        return MapContents(
            test=graph.answers(self._on_map(splits)),
            gallery=replace(gallery, probabilities=graph.answers(shipped).probabilities),
            metric=bundle.manifest.metric,
            rule=rule,
            model_sha256=sha256_of(bundle.model_path),
        )

    def sheets(self, bundle: Bundle) -> TestImages:
        """The pictures of the test images that are on the bundle's map."""
        return draw_sheets(self._on_map(self.splits(bundle.report)))

    def _on_map(self, splits: Splits) -> LabeledImages:
        return splits.test.take(torch.from_numpy(shown_rows(len(splits.test))))

    def splits(self, report: Report) -> Splits:
        """The data set as the run behind the report split it. Raises InvalidRun for another."""
        recorded = report.provenance.dataset
        found = self._asked.dataset.without(recorded.dropped)
        if recorded.sha256 != found.sha256:
            raise InvalidRun(
                f"{report.name} was trained on {recorded.name} of sha256 {recorded.sha256}, and "
                f"--data has {found.name} of sha256 {found.sha256}; name the same images"
            )
        return data.prepare(found, Recipe.model_validate(report.provenance.recipe))[1]

    def _copied(self, report: Report, splits: Splits) -> Copies:
        recipe = Recipe.model_validate(report.provenance.recipe)
        key = (recipe.holdout, recipe.seed)
        if key not in self._copies:
            self._copies[key] = find_copies(splits)
        return self._copies[key]


def draw_again(report: Report, material: FigureData, old: Path, folder: Path) -> Report:
    """The report with its figures drawn into `folder`.

    Those that the bundle's files cannot give are copied from `old`, the figures published before.
    """
    drawn = draw_report(report, material, folder)
    kept = [figure for figure in report.figures if figure.name in _KEPT_FIGURES]
    for figure in kept:
        name = f"{figure.name}.svg"
        (folder / name).write_bytes((old / name).read_bytes())
    return report.model_copy(update={"figures": _in_order((*drawn, *kept))})


def _in_order(figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """The learning curve last, as evaluations have it."""
    return tuple(sorted(figures, key=lambda figure: figure.name == "learning-curve"))


def _others(graph: Graph, dataset: Dataset) -> Others:
    rows = stratified(dataset.test.labels.numpy(), OTHERS, seed=0)
    shown = dataset.test.take(torch.from_numpy(rows))
    return Others(dataset.name, dataset.sha256, graph.answers(shown))


def _gallery(bundle: Bundle) -> Answers:
    gallery = bundle.gallery()
    even = np.zeros((len(gallery.ids), len(bundle.manifest.labels)), np.float32)
    return Answers(gallery.embeddings, even, gallery.labels, gallery.ids)
