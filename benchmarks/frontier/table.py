"""`python -m benchmarks.frontier.table RESULTS...`: the table of docs/training.md.

Several files make one table, the newest first: of runs that are gone only their file is left.
With `--into docs/training.md` it is written there, between its two marks.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.frontier.results import Point, Report
from benchmarks.machine import short
from benchmarks.markdown import add_page_option, deliver, table
from reports.table import duration

COMMAND = "python -m benchmarks.frontier.table"
_HEAD = (
    "network",
    "loss",
    "parameters",
    "file",
    "test accuracy",
    "images/s",
    "one image, median",
    "epochs",
    "trained in",
    "timed",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument(
        "results", type=Path, nargs="+", help="what python -m benchmarks.frontier wrote"
    )
    add_page_option(parser)
    chosen = parser.parse_args(arguments)
    found = everything([Report.model_validate_json(path.read_text()) for path in chosen.results])
    deliver(found, COMMAND, chosen.into)


def everything(reports: Sequence[Report]) -> str:
    """One table of all networks, and how each report came about."""
    timed = [(report, point) for report in reports for point in report.points]
    timed.sort(key=lambda one: -one[1].images_per_s)
    captions = "\n\n".join(map(_caption, reports))
    return f"{captions}\n\n{table(_HEAD, [_row(*one) for one in timed])}"


def _caption(report: Report) -> str:
    where, first = report.machine, report.points[0]
    return (
        f"By `{report.command}`, {report.date:%Y-%m-%d}, commit {short(report.commit)}. "
        f"{where.cores} cores of {where.processor} ({', '.join(where.flags)}), no GPU; ONNX "
        f"Runtime alone, {report.threads} threads, batches of {report.batch_size}. Accuracy on "
        f"{first.dataset}, n = {first.test_images:,}, one run each, no test-time augmentation."
    )


def _row(report: Report, point: Point) -> tuple[str, ...]:
    return (
        point.network,
        point.loss,
        f"{point.parameters / 1e6:.2f} M",
        f"{point.model_bytes / 1e6:.1f} MB",
        f"{point.accuracy:.2%}",
        f"{point.images_per_s:,.0f}",
        f"{point.single.p50_ms:.2f} ms",
        str(point.epochs),
        duration(point.training_s),
        f"{report.date:%d %b %H:%M}",
    )


if __name__ == "__main__":
    main()
