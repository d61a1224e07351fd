"""`python -m training audit`: look through a folder before anybody trains on it."""

import shlex
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, get_args

from reports.progress import console, showing
from training.audit.audit import Auditor
from training.audit.embedding import AuditEmbedder
from training.audit.findings import KINDS, Audit, Kind
from training.audit.images import load_to_audit
from training.audit.written import CSV, PAGE, write_audit
from training.cli.options import say
from training.errors import AuditFailed


class Limit(NamedTuple):
    """The findings of a kind that pass, at most."""

    kind: Kind
    most: int


def add_audit_options(step: ArgumentParser) -> None:
    """Give the step's parser its options."""
    add = step.add_argument
    add(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="a folder with train/<class>/* and test/<class>/*, or with <class>/*",
    )
    add(
        "--model",
        type=Path,
        default=Path("models/registry/softmax/2"),
        metavar="MODEL|RUN",
        help="whose vectors judge labels and outliers: a published model, or the folder of an "
        "exported run (default models/registry/softmax/2). A run on this very folder has learned "
        "its wrong labels, and finds fewer of them",
    )
    add("--out", type=Path, default=Path("audit"), metavar="DIR", help="where the result goes")
    add("--cache", type=Path, default=Path("var/cache"), help="decoded images and vectors")
    add(
        "--fail-on",
        action="append",
        default=[],
        type=_limit,
        metavar="KIND[=MOST]",
        help=f"end with status 3 where there are more than MOST (default 0) {', '.join(KINDS)}; "
        "may be given again",
    )


def audit_folder(options: Namespace) -> None:
    """Search, write the result, and raise AuditFailed where there is more than is let pass."""
    embedder = AuditEmbedder.of(options.model)
    folder = load_to_audit(options.data, embedder.preprocess, options.cache)
    auditor = Auditor(folder, embedder, options.cache, partial(showing, console()))
    command = shlex.join(["python", "-m", "training", *sys.argv[1:]])
    audit = auditor.audit(str(options.data), command, datetime.now(UTC))
    write_audit(audit, folder, options.out)
    counts = audit.counts.model_dump()
    say(", ".join(f"{kind}: {counts[kind]:,}" for kind in KINDS))
    say(f"pictures in {options.out / PAGE}, the whole list in {options.out / CSV}")
    _check(audit, options.fail_on)


def _check(audit: Audit, limits: list[Limit]) -> None:
    counts = audit.counts.model_dump()
    over = [
        f"{counts[limit.kind]:,} {limit.kind} (at most {limit.most:,})"
        for limit in limits
        if counts[limit.kind] > limit.most
    ]
    if over:
        raise AuditFailed(f"the audit found {', '.join(over)}")


def _limit(text: str) -> Limit:
    kind, given, most = text.partition("=")
    for known in get_args(Kind):
        if kind == known and (most.isdecimal() or not given):
            return Limit(known, int(most or 0))
    raise ArgumentTypeError(
        f"must be a kind of finding, or KIND=MOST such as labels=20 (got {text!r}); available: "
        f"{', '.join(KINDS)}"
    )
