"""Write the reports of published models anew, in their place, from bundle and data set alone."""

import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import Int64

from models.bundle import GOLDEN, MODEL, REPORT, Bundle
from models.manifest import Manifest, Preprocess
from models.report import Report
from models.store import Store
from training import data
from training.checkpoints.published import published
from training.cli.maps import MapUpdate, map_again
from training.cli.numbers import whole
from training.cli.options import say
from training.comparison.other_sets import check_others
from training.data.dataset import Dataset
from training.evaluation.elsewhere import OtherFolders
from training.evaluation.evaluation import FIGURES
from training.evaluation.figures.bundle import FigureData
from training.evaluation.paired_models import BASELINE
from training.evaluation.reevaluation import PARTS, Reevaluation, ReevaluationRequest, draw_again
from training.evaluation.robustness import LIMIT
from training.publishing.recalibration import check_alike, refit, write_recalibrated


def add_reevaluate_options(step: ArgumentParser) -> None:
    """Give the step's parser its options."""
    step.add_argument(
        "--model",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="published models, as models/registry/softmax/2; softmax beside them is the baseline",
    )
    step.add_argument("--data", required=True, metavar="cifar10|DIR", help="their data set")
    step.add_argument("--cache", type=Path, default=Path("var/cache"), help="decoded images")
    step.add_argument(
        "--robustness-images",
        type=whole(1, 1_000_000),
        default=LIMIT,
        help=f"test images to change, at most (default {LIMIT:,}, in a fixed random order)",
    )
    step.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        metavar="PART",
        help=f"the sections to write anew, and the map (default all: {', '.join(PARTS)})",
    )
    _add_others_options(step)
    step.add_argument(
        "--pairs-of",
        type=str,
        nargs="+",
        default=[],
        metavar="DIR",
        help="data sets of classes that the models were not trained on, whose pairs are judged too",
    )
    step.add_argument(
        "--recalibrate",
        action="store_true",
        help="first fit temperature and confidence map anew on the calibration split, and write "
        "them into the ONNX file where that changes what is served; embeddings stay to the bit",
    )
    step.add_argument("--cost", action="store_true", help="time the models anew, too")
    step.add_argument(
        "--note",
        action="append",
        default=[],
        help="what a reader has to know of how the model came to be; may be given again; without "
        "it, notes stay",
    )


def _add_others_options(step: ArgumentParser) -> None:
    said = {
        "near": "other classes in images like the model's: unknowns that are hard to notice",
        "far": "another kind of image: unknowns beside digits and noise",
        "transfer": "classes that a linear probe of the embeddings learns, beside digits",
    }
    for name, summary in said.items():
        step.add_argument(
            f"--{name}",
            type=Path,
            action="append",
            default=[],
            metavar="DIR",
            help=f"a folder of another data set: {summary}; may be given again",
        )


def reevaluate(options: Namespace) -> None:
    """Evaluate each model again, and replace its report and figures."""
    bundles = _in_order([published(path) for path in options.model])
    spec = bundles[0].manifest.preprocess
    dataset = data.load(options.data, spec, options.cache)
    asked = ReevaluationRequest(
        dataset,
        options.cache,
        options.robustness_images,
        options.cost,
        tuple(options.note),
        tuple(options.only),
        _others(options, dataset, spec),
        tuple(data.load(one, spec, options.cache) for one in options.pairs_of),
    )
    again, baselines = Reevaluation(asked), _BaselinePredictions()
    for bundle in bundles:
        with (
            _calibrated(bundle, again, asked) if options.recalibrate else nullcontext(bundle) as new
        ):
            renewed = None
            if asked.sections or asked.timed or asked.notes or new is not bundle:
                compared = "classification" in asked.only
                baseline = baselines.of(bundle, again) if compared else None
                renewed = again.report(new, baseline)
            report = new.report if renewed is None else renewed[0]
            _replace(bundle, new, renewed, map_again(bundle, new, report, again, asked.only))
        found = report.classification
        say(f"{bundle.path}: test accuracy {found.accuracy.value:.2%} (n = {found.n:,})")


def _others(options: Namespace, own: Dataset, spec: Preprocess) -> OtherFolders:
    near, far, transfer = (
        [data.load(str(folder), spec, options.cache) for folder in folders]
        for folders in (options.near, options.far, options.transfer)
    )
    for option, folders in (("--near", near), ("--far", far), ("--transfer", transfer)):
        check_others(option, own, folders)
    return OtherFolders(near, far, transfer)


def _in_order(bundles: list[Bundle]) -> list[Bundle]:
    """The baseline first, for the others' maps begin with its."""
    return sorted(bundles, key=lambda bundle: bundle.report.loss != BASELINE)


@contextmanager
def _calibrated(
    bundle: Bundle, again: Reevaluation, asked: ReevaluationRequest
) -> Iterator[Bundle]:
    """A copy of the bundle with today's calibration, or the bundle where that serves the same."""
    held = again.splits(bundle.report).calibration.read_to_calibrate()
    calibration = refit(bundle, held, asked.cache)
    if calibration is None:
        say(f"{bundle.path}: its calibration stands")
        yield bundle
        return
    with TemporaryDirectory() as folder:
        yield write_recalibrated(bundle, calibration, Path(folder))
    say(f"{bundle.path}: calibrated anew, temperature {calibration.temperature:.4g}")


def _replace(
    old: Bundle,
    new: Bundle,
    renewed: tuple[Report, FigureData | None] | None,
    mapped: MapUpdate | None,
) -> None:
    store = Store(old.path.parent.parent)

    def fill(folder: Path) -> Manifest:
        manifest = new.manifest
        for file in (MODEL, GOLDEN):
            shutil.copyfile(new.path / file, folder / file)
        if renewed is not None:
            report, material = renewed
            if material is not None:
                shutil.rmtree(folder / FIGURES, ignore_errors=True)
                report = draw_again(report, material, old.path / FIGURES, folder / FIGURES)
            (folder / REPORT).write_text(report.model_dump_json(indent=2) + "\n")
            manifest = manifest.model_copy(update={"unknown": report.unknowns.rule})
        if mapped is not None:
            manifest = mapped.put(store, folder, manifest)
        return manifest

    store.replace(old.manifest.name, old.manifest.version, fill, check_alike)


@dataclass
class _BaselinePredictions:
    """The predictions of softmax of the same version, for each model."""

    path: Path | None = None
    predicted: Int64[np.ndarray, " n"] | None = None

    def of(self, bundle: Bundle, again: Reevaluation) -> Int64[np.ndarray, " n"] | None:
        if bundle.report.loss == BASELINE:
            return None
        path = bundle.path.parent.parent / BASELINE / str(bundle.manifest.version)
        if not path.is_dir():
            return None
        if path != self.path:
            beside = published(path)
            same = beside.report.provenance.dataset == bundle.report.provenance.dataset
            self.path, self.predicted = path, again.predicted(beside) if same else None
        return self.predicted
