"""Options of each step of `python -m training`; a function for each group of them."""

import argparse
from pathlib import Path
from typing import get_args

from models.comparison import DEFAULT
from models.manifest import is_name
from training.cli import numbers
from training.cli.embed import add_embed_options
from training.cli.make_data import add_make_data_options
from training.cli.quantize import add_quantize_options
from training.cli.reevaluate import add_reevaluate_options
from training.common.machine import Precision
from training.losses import ALL_LOSSES, LOSSES
from training.tuning.tune import Budget


def add_options(step: argparse.ArgumentParser, name: str) -> None:
    """Give the step's parser its options."""
    if name == "embed":
        add_embed_options(step)
        return
    if name == "data":
        add_make_data_options(step)
        return
    if name == "reevaluate":
        add_reevaluate_options(step)
        return
    if name == "quantize":
        add_quantize_options(step)
        return
    if name == "restate":
        _add_registry_option(step)
        _add_name_option(step, "which comparison (default: the one that was made without a name)")
        return
    _add_common_options(step, name)
    if name in _OPTIONS:
        _OPTIONS[name](step)


def _add_common_options(step: argparse.ArgumentParser, name: str) -> None:
    if name != "compare":
        step.add_argument(
            "--loss",
            required=name != "run",
            default="all",
            choices=(*ALL_LOSSES, "all"),
            help="which loss, or all: the five that are compared (default for run)",
        )
    if name == "compare":
        step.add_argument(
            "--runs", type=Path, help="folder of its runs (default: runs/comparison, or runs/NAME)"
        )
    else:
        step.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
    step.add_argument(
        "--cache",
        type=Path,
        default=Path("var/cache"),
        help="where downloads and decoded images are kept",
    )
    if name in ("publish", "run", "compare"):
        _add_registry_option(step)


def _add_registry_option(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--registry",
        type=Path,
        default=Path("models/registry"),
        help="where models are published",
    )


def _add_name_option(step: argparse.ArgumentParser, summary: str) -> None:
    step.add_argument("--name", type=_name, default=DEFAULT, help=summary)


def _name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            f"must be up to 64 of a-z, 0-9, _ and -, with a letter or digit first (got {text!r})"
        )
    return text


def _add_data_option(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--data",
        required=True,
        metavar="cifar10|DIR",
        help="cifar10, or a folder with train/<class>/* and test/<class>/*, or with <class>/*, "
        "of which a fifth becomes the test set",
    )
    step.add_argument(
        "--drop-leaks",
        nargs="?",
        const="near",
        choices=("near", "exact"),
        help="leave out training images with a copy in the test set: near copies too (default; "
        "the search takes about a minute for 60,000 images), or those of equal pixels alone, "
        "where classes are one shape drawn alike; the run and its report list them",
    )


def _add_unknowns_options(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--rounds", type=numbers.whole(1, 100), default=1, help="each leaves out other classes"
    )
    step.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="CLASS,...",
        help="which classes, in one round; may be given again, which a class with a comma in its "
        "name needs; default: in each round an equal share of them",
    )
    step.add_argument("--epochs", type=numbers.epochs, help="instead of the run's own")
    step.add_argument(
        "--weights",
        metavar="random|lite0|hub|FILE|RUN|MODEL",
        help="instead of what the run started from, where that has seen the classes",
    )


def _add_plane_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--epochs", type=numbers.epochs, help="instead of the run's own")


_TUNING = """Choose a loss's values on the tuning split: training images that weights never
see; the test images are not read. Searched are the learning rates and the weight decay of the
recipe's optimizer, and the loss's own parameters. Every loss gets the same number of trials for
each value that is searched, each of the same number of epochs: the first is the recipe as it is,
three for each value are drawn at random, and Optuna's TPE models these for the others. The study is
saved in RUNS/tuning/LOSS after every trial: the same command goes on where it was stopped, and with
more --trials it goes further."""


def _add_tuning_options(step: argparse.ArgumentParser) -> None:
    budget = Budget()
    _add_data_option(step)
    step.description = _TUNING
    _add_budget_options(step)
    step.add_argument(
        "--epochs",
        type=numbers.epochs,
        default=budget.epochs,
        help=f"of each trial (default {budget.epochs})",
    )
    step.add_argument(
        "--seed", type=numbers.seeds, default=0, help="of the split and of every trial"
    )
    step.add_argument(
        "--recipe",
        type=Path,
        help="what to start from: a TOML file, a folder of them, or a name such as strong; "
        "default: the loss's own recipe",
    )
    _add_backbone_options(step)
    step.add_argument(
        "--size-px",
        type=numbers.size_px,
        help="input height and width; default: the recipe's, or by the images' sizes",
    )
    step.add_argument(
        "--prune",
        action="store_true",
        help="end a trial early when it is worse than the median of earlier ones at the same "
        "epoch: faster, but losses then train for unequal numbers of epochs, and a loss that "
        "starts slowly is put at a disadvantage; leave it off to compare losses",
    )
    step.add_argument(
        "--write-recipe",
        type=Path,
        metavar="DIR",
        help="also write each chosen recipe to DIR/<loss>.toml, for run --recipe DIR",
    )
    _add_tracking_options(step)


def _add_budget_options(step: argparse.ArgumentParser) -> None:
    per_value = Budget().trials_per_value
    step.add_argument(
        "--trials-per-value",
        type=numbers.trials,
        default=per_value,
        help=f"trials of tuning for each value that is searched (default {per_value})",
    )
    step.add_argument(
        "--trials",
        type=numbers.trials,
        help="as many for each loss, however many values are searched",
    )


def _add_others_options(step: argparse.ArgumentParser) -> None:
    for option, what in (
        ("--far", "its test images are unknown to every run; digits and noise always are"),
        ("--transfer", "a linear probe of the embeddings learns its classes; digits always are"),
    ):
        step.add_argument(
            option,
            type=Path,
            action="append",
            metavar="DIR",
            help=f"a folder of another data set, may be given again: {what}",
        )


def _add_comparison_options(step: argparse.ArgumentParser) -> None:
    _add_data_option(step)
    _add_name_option(
        step,
        "what to publish it as, beside comparisons of other names, such as glyphs-compact; without "
        "one it takes the place of the last that had none",
    )
    step.add_argument(
        "--losses",
        action="append",
        metavar="LOSS,...",
        help=f"of {', '.join(ALL_LOSSES)} (default: {','.join(LOSSES)})",
    )
    step.add_argument(
        "--recipe",
        type=Path,
        default=Path("compact"),
        help="a TOML file, a folder with one for each loss, or a name: compact (the paper's "
        "network, default), small (a modern one) or strong; all losses must have the same but for "
        "their own parameters and what is tuned",
    )
    step.add_argument("--backbone", help="airbench, compact or timm:NAME, instead of the recipe's")
    step.add_argument(
        "--epochs", type=numbers.epochs, help="of each final run, instead of the recipe's"
    )
    step.add_argument(
        "--unknown-epochs",
        type=numbers.epochs,
        help="of each final run without some classes (default: as many)",
    )
    step.add_argument(
        "--tuning-epochs",
        type=numbers.epochs,
        help="of each trial (default: as many; fewer are faster, and may choose other values)",
    )
    step.add_argument(
        "--seeds", type=numbers.whole(2, 1_000), default=5, help="final runs of each loss"
    )
    _add_others_options(step)
    _add_budget_options(step)
    _add_size_options(step)
    _add_machine_options(step)


def _add_backbone_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--backbone", help="airbench, compact or timm:NAME, instead of the recipe's")
    step.add_argument(
        "--weights",
        metavar="random|lite0|hub|FILE|RUN|MODEL",
        help="what the backbone starts from: lite0 is EfficientNet-Lite0 of ImageNet, in the extra "
        "lite0, without a network; hub is the Hugging Face hub, for timm's models; FILE is "
        " .safetensors, .pth or .pt; RUN the folder of an earlier run with this backbone; MODEL "
        "that of a published one, as models/registry/softmax/2",
    )
    step.add_argument(
        "--frozen",
        action="store_true",
        help="keep the backbone's weights: embed all images once, train a projection of that",
    )
    step.add_argument(
        "--trunk",
        type=Path,
        metavar="RUN|MODEL",
        help="the backbone of an earlier run or a published model, frozen",
    )
    step.add_argument(
        "--views",
        type=numbers.whole(1, 1_000),
        help="of each image, where frozen; others augmented",
    )


def _add_recipe_options(step: argparse.ArgumentParser) -> None:
    _add_data_option(step)
    _add_backbone_options(step)
    step.add_argument("--resume", action="store_true", help="go on where a run was stopped")
    step.add_argument(
        "--recipe",
        type=Path,
        help="a TOML file, a folder of them, or strong; default: the paper's network",
    )
    step.add_argument(
        "--teacher",
        action="append",
        metavar="RUN",
        help="an earlier run whose answers softmax learns in place of labels; may be given again: "
        "then the mean of their answers",
    )
    step.add_argument("--epochs", type=numbers.epochs, help="instead of the recipe's")
    step.add_argument(
        "--learning-rate", type=numbers.above_zero(100.0), help="instead of the recipe's"
    )
    _add_size_options(step)
    step.add_argument("--seed", type=numbers.seeds, help="instead of the recipe's")


def _add_size_options(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--batch-size", type=numbers.whole(2, 1_000_000), help="instead of the recipe's"
    )
    step.add_argument(
        "--embedding-size", type=numbers.whole(1, 65_536), help="instead of the recipe's"
    )
    step.add_argument(
        "--size-px",
        type=numbers.size_px,
        help="input height and width; default: the recipe's, or by the images' sizes",
    )


def _add_tracking_options(step: argparse.ArgumentParser) -> None:
    group = step.add_argument_group(
        "following the run", "nothing unless asked for; a resumed run goes on where it was followed"
    )
    group.add_argument("--csv", action="store_true", help="metrics/*.csv in the run folder")
    group.add_argument("--tensorboard", action="store_true", help="tensorboard/ in the run folder")
    group.add_argument(
        "--mlflow",
        nargs="?",
        const="",
        metavar="URI",
        help="a server or database; default: MLFLOW_TRACKING_URI, else mlflow.db in --runs "
        "(needs the extra `mlflow`)",
    )


def _add_machine_options(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="default: the GPU where there is one; under torchrun, one for each process",
    )
    step.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="auto",
        help="of the backbone in training: auto is bfloat16 where the hardware multiplies it",
    )
    step.add_argument(
        "--compile", action="store_true", help="compile the backbone: pays in long trainings"
    )


def _add_training_options(step: argparse.ArgumentParser) -> None:
    _add_recipe_options(step)
    _add_machine_options(step)
    _add_tracking_options(step)


_OPTIONS = {
    "fit": _add_training_options,
    "run": _add_training_options,
    "unknowns": _add_unknowns_options,
    "plane": _add_plane_options,
    "tune": _add_tuning_options,
    "compare": _add_comparison_options,
}
