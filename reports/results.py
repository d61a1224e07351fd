"""The pieces of README.md and docs/results.md about the comparison and the published models."""

from collections.abc import Callable

from models.comparison import ComparisonReport, Verdict
from models.store import Store
from reports.marks import has, put
from reports.table import comparison_table, measures_table, results_table


def updated(page: str, store: Store) -> str:
    """Return the page with every piece that it has marks for made anew."""
    for name, make in PIECES.items():
        command = f"python -m reports {name}"
        if has(page, command):
            page = put(page, command, make(store))
    return page


def overview(store: Store) -> str:
    """One row a loss, then one sentence a goal."""
    report = _comparison(store)
    return "\n".join(
        [measures_table(report), "", *(_short(one, report) for one in report.verdicts)]
    )


def comparison(store: Store) -> str:
    """The protocol, one row a loss, the verdicts in full, and what weakens them."""
    report = _comparison(store)
    return "\n\n".join([_protocol(report), comparison_table(report), _caveats(report)])


def served(store: Store) -> str:
    """The models that answer by default, a column each."""
    reports = [store.load(name, max(store.versions(name))).report for name in store.names()]
    reports.sort(key=lambda one: -one.classification.accuracy.value)
    rows = [
        ["Newest version", *(one.name for one in reports)],
        ["---", *("---:" for _ in reports)],
        ["Test accuracy", *(f"{one.classification.accuracy.value:.2%}" for one in reports)],
        ["ECE, as served", *(f"{one.confidence.after.ece.value:.2%}" for one in reports)],
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def models(store: Store) -> str:
    """A table for each version, the newest first."""
    versions = {version for name in store.names() for version in store.versions(name)}
    tables = (
        f"### Version {version}\n{results_table(store, version)}"
        for version in sorted(versions, reverse=True)
    )
    return "\n\n".join(tables)


def _comparison(store: Store) -> ComparisonReport:
    report = store.comparison()
    if report is None:
        raise LookupError("no comparison is published; run: python -m training compare")
    return report


def _short(verdict: Verdict, report: ComparisonReport) -> str:
    length = "" if verdict.epochs is None else f" after {verdict.epochs} epochs"
    out = [loss for loss in report.losses if loss not in verdict.best]
    if not verdict.tie:
        found = f"{verdict.prefer} is best{length}."
    elif out:
        found = f"undecided between {_and(verdict.best)}{length}; beaten: {_and(out)}."
    else:
        found = f"undecided between all {len(report.losses)}{length}."
    return f"- **To {verdict.goal}**: {found}"


def _protocol(report: ComparisonReport) -> str:
    study, data = report.protocol, report.dataset
    share = (
        f"{study.trials} trials"
        if study.trials_per_value is None
        else (f"{study.trials_per_value} trials for each searched value")
    )
    return (
        f"All {len(report.losses)} under one protocol, by `python -m training compare`, runs of "
        f"{report.evaluated:%Y-%m-%d}:\n\n"
        "| | |\n|---|---|\n"
        f"| Network | {study.backbone}, {study.embedding_size} dimensions |\n"
        f"| Data | {data.name}, {data.edition} files; {data.train:,} images trained on, "
        f"n = {data.test:,} test images |\n"
        f"| Tuning | {share} of {study.tuning_epochs} epochs for each loss, softmax included, "
        "on the tuning split |\n"
        f"| Final runs | {study.seeds} seeds of {study.epochs} epochs; for unknowns {study.seeds} "
        f"more of {study.unknown_epochs} epochs that leave {len(study.left_out[0])} classes out |\n"
        f"| Machine | {report.hardware} |"
    )


def _caveats(report: ComparisonReport) -> str:
    pairs = len(report.losses) * (len(report.losses) - 1) // 2
    lines = [
        "Mean ± half of the 95 % interval over seeds and test images. **Bold** is what could be "
        "the best: no loss is better, by a test over seeds and test images with Holm's correction "
        f"over the {pairs} pairs. No loss is advised for want of evidence."
    ]
    if any(one.image_variance == "bound" for one in report.measures):
        lines.append(
            "The outcomes of single images were not kept in these runs. The images' part is an "
            "upper bound, so most verdicts are wider than the seeds alone would have them."
        )
    if all(one.drawn == len(one.trials) for one in report.tuning):
        lines.append("All trials of tuning but the first were random draws.")
    edges = [f"{one.loss} ({', '.join(one.at_edge)})" for one in report.tuning if one.at_edge]
    if edges:
        lines.append(f"Chosen values at the ends of their ranges: {'; '.join(edges)}.")
    return "\n".join(f"- {line}" for line in lines)


def _and(names: list[str] | tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


PIECES: dict[str, Callable[[Store], str]] = {
    "overview": overview,
    "served": served,
    "comparison": comparison,
    "models": models,
}
