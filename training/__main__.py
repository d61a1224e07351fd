"""`python -m training`: parsers only parse; `training.commands` does the work."""

import argparse
import sys
from pathlib import Path

from models.errors import ModelsError
from training import commands
from training.errors import Interrupted, TrainingError
from training.losses import LOSSES

_STEPS = {
    "fit": ("train the backbone with one loss, or with all of them", commands.fit_runs),
    "evaluate": ("calibrate a trained run, then read the test set once", commands.evaluate_runs),
    "export": ("write the ONNX file and prove that it answers alike", commands.export_runs),
    "publish": ("add the run to the registry as the next version", commands.publish_runs),
    "run": ("fit, evaluate, export and publish", commands.run_all),
}


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    steps = top.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (summary, action) in _STEPS.items():
        step = steps.add_parser(name, help=summary, description=summary)
        step.set_defaults(action=action)
        step.add_argument(
            "--loss",
            required=name != "run",
            default="all",
            choices=(*LOSSES, "all"),
            help="which loss, or all (default for run)",
        )
        step.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders")
        step.add_argument(
            "--cache",
            type=Path,
            default=Path("var/cache"),
            help="where downloads and decoded images are kept",
        )
        if name in ("publish", "run"):
            step.add_argument(
                "--registry",
                type=Path,
                default=Path("models/registry"),
                help="where models are published",
            )
        if name in ("fit", "run"):
            _add_recipe_options(step)
    return top


def _add_recipe_options(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "--data",
        required=True,
        metavar="cifar10|DIR",
        help="cifar10, or a folder with train/<class>/* and test/<class>/*",
    )
    step.add_argument("--resume", action="store_true", help="go on where a run was stopped")
    step.add_argument("--recipe", type=Path, help="a TOML file instead of the loss's own recipe")
    step.add_argument("--epochs", type=int, help="instead of the recipe's")
    step.add_argument("--batch-size", type=int, help="instead of the recipe's")
    step.add_argument("--learning-rate", type=float, help="instead of the recipe's")
    step.add_argument("--embedding-size", type=int, help="instead of the recipe's")
    step.add_argument("--size-px", type=int, help="input height and width, instead of the recipe's")
    step.add_argument("--seed", type=int, help="instead of the recipe's")


def main() -> int:
    """Run one step; errors made on purpose end in one line and exit status 1, stops in 130."""
    arguments = parser().parse_args()
    try:
        arguments.action(arguments)
    except Interrupted as stop:
        sys.stderr.write(f"{stop}\n")
        return 130
    except KeyboardInterrupt:
        return 130
    except (TrainingError, ModelsError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
