"""`python -m training`: parsers only parse; `training.cli` does the work."""

import argparse
import sys

from models.errors import ModelsError
from models.version import VERSION
from training.cli import audit, embed, make_data, quantize, reevaluate, runs, studies
from training.cli.arguments import add_options
from training.cli.options import say_once
from training.common.machine import is_first, launched
from training.common.memory import keep_freed_memory
from training.errors import AuditFailed, Interrupted, InvalidMachine, TrainingError

_AUDIT_FAILED = 3

_STEPS = {
    "audit": (
        "look through a folder: leaks, duplicates, probable label errors, outliers, images that "
        "no network reads well",
        audit.audit_folder,
    ),
    "data": (
        "write a public data set as a folder of images: glyphs, fashion-mnist",
        make_data.make_data,
    ),
    "fit": ("train the backbone with one loss, or with all of them", runs.fit_runs),
    "unknowns": (
        "train a run again without some classes, to score how they are rejected; goes on",
        runs.fit_unknown_rounds,
    ),
    "plane": ("train a run again with a true 2-D embedding; goes on", runs.fit_planes),
    "export": (
        "calibrate a trained run, write the ONNX file and prove that it answers alike",
        runs.export_runs,
    ),
    "evaluate": ("read the test set and write the report", runs.evaluate_runs),
    "publish": ("add the run to the registry as the next version", runs.publish_runs),
    "run": ("fit, export, evaluate and publish", runs.run_all),
    "reevaluate": (
        "write the reports of published models anew, in their place; needs no run folder",
        reevaluate.reevaluate,
    ),
    "quantize": (
        "give published models an int8 graph, where the test set shows no loss by it",
        quantize.quantize_models,
    ),
    "tune": ("choose a loss's parameters on the tuning split; goes on", studies.tune_losses),
    "compare": (
        "all losses alike: tune, train with several seeds, test the differences; goes on, and "
        "shares the work with other processes of the same command",
        studies.compare_losses,
    ),
    "restate": (
        "work out the published comparison's statistics anew, from its measurements",
        studies.restate_comparison,
    ),
    "embed": (
        "every image below a folder into Parquet files of embeddings, here or on a Ray cluster; "
        "goes on",
        embed.embed_folder,
    ),
}


_TOGETHER = ("fit", "run")
"""The steps that several processes do together."""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    top.add_argument("--version", action="version", version=f"LossAtlas {VERSION}")
    steps = top.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (summary, action) in _STEPS.items():
        step = steps.add_parser(name, help=summary, description=summary)
        step.set_defaults(action=action)
        add_options(step, name)
    return top


def main() -> int:
    """Run one step; errors made on purpose end in one line and exit status 1, stops in 130.

    An audit that found more than `--fail-on` lets pass ends in 3.
    """
    arguments = parser().parse_args()
    say_once.cache_clear()
    keep_freed_memory()
    try:
        if launched() and arguments.step not in _TOGETHER:
            raise InvalidMachine(
                f"torchrun is for {' and '.join(_TOGETHER)}: python -m training {arguments.step}"
            )
        arguments.action(arguments)
    except Interrupted as stop:
        _tell(f"{stop}\n")
        return 130
    except KeyboardInterrupt:
        return 130
    except AuditFailed as error:
        _tell(f"error: {error}\n")
        return _AUDIT_FAILED
    except (TrainingError, ModelsError) as error:
        _tell(f"error: {error}\n")
        return 1
    return 0


def _tell(line: str) -> None:
    if is_first():
        sys.stderr.write(line)


if __name__ == "__main__":
    sys.exit(main())
