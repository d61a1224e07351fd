"""Options of the steps with many runs: tune and compare."""

import argparse
from pathlib import Path

from training.cli import numbers
from training.cli.option_groups import (
    add_backbone_options,
    add_data_option,
    add_machine_options,
    add_name_option,
    add_size_options,
    add_tracking_options,
)
from training.losses import ALL_LOSSES, LOSSES
from training.tuning.tune import Budget

_TUNING = """Choose a loss's values on the tuning split: training images that weights never
see; the test images are not read. Searched are the learning rates and the weight decay of the
recipe's optimizer, and the loss's own parameters. Every loss gets the same number of trials for
each value that is searched, each of the same number of epochs: the first is the recipe as it is,
three for each value are drawn at random, and Optuna's TPE models these for the others. The study is
saved in RUNS/tuning/LOSS after every trial: the same command goes on where it was stopped, and with
more --trials it goes further."""


def add_tuning_options(step: argparse.ArgumentParser) -> None:
    """Give the step's parser the options of tuning."""
    budget = Budget()
    add_data_option(step)
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
    add_backbone_options(step)
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
    add_tracking_options(step)


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


def add_comparison_options(step: argparse.ArgumentParser) -> None:
    """Give the step's parser the options of a comparison."""
    add_data_option(step)
    add_name_option(
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
    add_size_options(step)
    add_machine_options(step)
