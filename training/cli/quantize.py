"""Give published models an int8 graph beside the one in float32, from bundle and data set alone."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from models.bundle import Bundle
from models.manifest import Manifest
from models.store import Store
from training import data
from training.checkpoints.published import published
from training.cli.options import say
from training.data.dataset import Splits
from training.errors import InvalidRun
from training.publishing.precision import add_int8
from training.recipes.recipe import Recipe


def add_quantize_options(step: ArgumentParser) -> None:
    """Give the step's parser its options."""
    step.add_argument(
        "--model",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="published models, as models/registry/softmax/2",
    )
    step.add_argument("--data", required=True, metavar="cifar10|DIR", help="their data set")
    step.add_argument("--cache", type=Path, default=Path("var/cache"), help="decoded images")
    step.add_argument(
        "--cost", action="store_true", help="time the int8 graph, too: on a quiet machine only"
    )


def quantize_models(options: Namespace) -> None:
    """Quantize each model, and put the bundle with what was found in its place."""
    for path in options.model:
        bundle = published(path)
        said = _replace(bundle, _splits(bundle, options), timed=options.cost)
        say(f"{bundle.path}: {said}")


def _replace(bundle: Bundle, splits: Splits, *, timed: bool) -> str:
    said: list[str] = []

    def fill(folder: Path) -> Manifest:
        outcome = add_int8(folder, bundle.manifest, splits, timed=timed)
        said.append(outcome.said)
        return outcome.manifest

    Store(bundle.path.parent.parent).replace(bundle.manifest.name, bundle.manifest.version, fill)
    return said[-1]


def _splits(bundle: Bundle, options: Namespace) -> Splits:
    """The data set as the model's run split it. Raises InvalidRun for another."""
    recorded = bundle.report.provenance.dataset
    whole = data.load(options.data, bundle.manifest.preprocess, options.cache)
    found = whole.without(recorded.dropped)
    if recorded.sha256 != found.sha256:
        raise InvalidRun(
            f"{bundle.path} was trained on {recorded.name} of sha256 {recorded.sha256}, and "
            f"--data has {found.name} of sha256 {found.sha256}; name the same images"
        )
    return data.prepare(found, Recipe.model_validate(bundle.report.provenance.recipe))[1]
