"""Groups of options that several steps share; a function for each."""

import argparse
from pathlib import Path
from typing import get_args

from models.comparison import DEFAULT
from models.manifest import is_name
from training.cli import numbers
from training.common.machine import Precision


def add_name_option(step: argparse.ArgumentParser, summary: str) -> None:
    """Give the name that a comparison is published as; `summary` says what for."""
    step.add_argument("--name", type=_name, default=DEFAULT, help=summary)


def _name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            f"must be up to 64 of a-z, 0-9, _ and -, with a letter or digit first (got {text!r})"
        )
    return text


def add_data_option(step: argparse.ArgumentParser) -> None:
    """Give the data set, and where it is kept."""
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


def add_backbone_options(step: argparse.ArgumentParser) -> None:
    """Give the backbone and its first weights."""
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


def add_size_options(step: argparse.ArgumentParser) -> None:
    """Give the sizes: of a batch, an embedding, an image."""
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


def add_tracking_options(step: argparse.ArgumentParser) -> None:
    """Give the trackers of a run."""
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


def add_machine_options(step: argparse.ArgumentParser) -> None:
    """Give what the machine decides: device, precision, threads."""
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
