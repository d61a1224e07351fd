"""Options of each step of `python -m training`; a function for each group of them."""

import argparse
from pathlib import Path

from training.cli import numbers
from training.cli.audit import add_audit_options
from training.cli.embed import add_embed_options
from training.cli.make_data import add_make_data_options
from training.cli.option_groups import (
    add_backbone_options,
    add_data_option,
    add_machine_options,
    add_name_option,
    add_size_options,
    add_tracking_options,
)
from training.cli.quantize import add_quantize_options
from training.cli.reevaluate import add_reevaluate_options
from training.cli.study_options import add_comparison_options, add_tuning_options
from training.losses import ALL_LOSSES


def add_options(step: argparse.ArgumentParser, name: str) -> None:
    """Give the step's parser its options."""
    if name == "audit":
        add_audit_options(step)
        return
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
        add_name_option(step, "which comparison (default: the one that was made without a name)")
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


def _add_recipe_options(step: argparse.ArgumentParser) -> None:
    add_data_option(step)
    add_backbone_options(step)
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
    add_size_options(step)
    step.add_argument("--seed", type=numbers.seeds, help="instead of the recipe's")


def _add_training_options(step: argparse.ArgumentParser) -> None:
    _add_recipe_options(step)
    add_machine_options(step)
    add_tracking_options(step)


_OPTIONS = {
    "fit": _add_training_options,
    "run": _add_training_options,
    "unknowns": _add_unknowns_options,
    "plane": _add_plane_options,
    "tune": add_tuning_options,
    "compare": add_comparison_options,
}
