"""Which options each step of `python -m training` takes; a function for each group of them."""

import argparse
from pathlib import Path

from training.commands.embed import add_embed_options
from training.comparison.protocol import Protocol
from training.losses import LOSSES
from training.tune import Budget


def add_options(step: argparse.ArgumentParser, name: str) -> None:
    """Give the step's parser its options."""
    if name == "embed":
        add_embed_options(step)
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
            choices=(*LOSSES, "all"),
            help="which loss, or all (default for run)",
        )
    runs = Path("runs/comparison" if name == "compare" else "runs")
    step.add_argument("--runs", type=Path, default=runs, help="folder of run folders")
    step.add_argument(
        "--cache",
        type=Path,
        default=Path("var/cache"),
        help="where downloads and decoded images are kept",
    )
    if name in ("publish", "run", "compare"):
        step.add_argument(
            "--registry",
            type=Path,
            default=Path("models/registry"),
            help="where models are published",
        )


def _add_data_option(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--data",
        required=True,
        metavar="cifar10|DIR",
        help="cifar10, or a folder with train/<class>/* and test/<class>/*",
    )


def _add_unknowns_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--rounds", type=int, default=1, help="each leaves out other classes")
    step.add_argument(
        "--leave-out",
        type=lambda names: tuple(names.split(",")),
        default=(),
        metavar="CLASS,...",
        help="which classes, in one round; default: in each round an equal share of them",
    )
    step.add_argument("--epochs", type=int, help="instead of the run's own")


def _add_plane_options(step: argparse.ArgumentParser) -> None:
    step.add_argument("--epochs", type=int, help="instead of the run's own")


def _add_tuning_options(step: argparse.ArgumentParser) -> None:
    budget = Budget()
    _add_data_option(step)
    step.add_argument("--trials", type=int, default=budget.trials, help="for each loss")
    step.add_argument("--epochs", type=int, default=budget.epochs, help="of each trial")
    step.add_argument("--seed", type=int, default=0, help="of the split and of every trial")


def _add_comparison_options(step: argparse.ArgumentParser) -> None:
    usual = Protocol()
    _add_data_option(step)
    step.add_argument("--trials", type=int, default=usual.budget.trials, help="for each loss")
    step.add_argument(
        "--tuning-epochs", type=int, default=usual.budget.epochs, help="of each trial"
    )
    step.add_argument("--seeds", type=int, default=usual.seeds, help="final runs of each loss")
    step.add_argument("--epochs", type=int, default=usual.epochs, help="of each final run")
    step.add_argument(
        "--unknown-epochs",
        type=int,
        default=usual.unknown_epochs,
        help="of each final run without some classes",
    )


def _add_recipe_options(step: argparse.ArgumentParser) -> None:
    _add_data_option(step)
    step.add_argument("--resume", action="store_true", help="go on where a run was stopped")
    step.add_argument(
        "--recipe",
        type=Path,
        help="a TOML file, a folder of them, or strong; default: the paper's network",
    )
    step.add_argument("--epochs", type=int, help="instead of the recipe's")
    step.add_argument("--batch-size", type=int, help="instead of the recipe's")
    step.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    step.add_argument("--embedding-size", type=int, help="instead of the recipe's")
    step.add_argument("--size-px", type=int, help="input height and width, instead of the recipe's")
    step.add_argument("--seed", type=int, help="instead of the recipe's")


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


def _add_training_options(step: argparse.ArgumentParser) -> None:
    _add_recipe_options(step)
    _add_tracking_options(step)


_OPTIONS = {
    "fit": _add_training_options,
    "run": _add_training_options,
    "unknowns": _add_unknowns_options,
    "plane": _add_plane_options,
    "tune": _add_tuning_options,
    "compare": _add_comparison_options,
}
