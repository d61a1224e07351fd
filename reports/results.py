"""The pieces of README.md and docs/results.md about the comparison and the published models."""

from collections.abc import Callable, Sequence

from models.comparison import ComparisonReport, Verdict
from models.store import Store
from reports.across import GoalAcross, across
from reports.hypotheses import outcomes
from reports.marks import has, put
from reports.published import PLANNED, advised, comparisons, first
from reports.settings import convergence, setting
from reports.table import comparison_table, measures_table, results_table, side_by_side
from reports.words import and_, capitalized


def updated(page: str, store: Store) -> str:
    """Return the page with every piece that it has marks for made anew."""
    for name, make in PIECES.items():
        command = f"python -m reports {name}"
        if has(page, command):
            page = put(page, command, make(store))
    return page


def overview(store: Store) -> str:
    """The headline's setting and table, then one sentence a goal, over all of its losses."""
    reports = comparisons(store)
    best = first(store)
    group = next(one for one in across(reports) if best.name in one.comparisons)
    alike = [one for one in reports if one.name in group.comparisons]
    said = [_short(verdict, best) for verdict in best.verdicts]
    if len(alike) > 1:
        said = [_over_all(goal, alike) for goal in group.goals]
    return "\n".join([_standing(best, reports), "", measures_table(best), "", *said])


def comparison(store: Store) -> str:
    """Every comparison, converged ones first: protocol, a row a loss, verdicts, weaknesses.

    Where several are of the same losses, what they say side by side stands before them.
    """
    first(store)
    reports = comparisons(store)
    if len(reports) == 1:
        return _in_full(reports[0])
    by_name = {one.name: one for one in reports}
    groups = across(reports)
    names = [name for group in groups for name in group.comparisons]
    sections = [
        f"### {name}: {setting(by_name[name])}\n{_in_full(by_name[name])}" for name in names
    ]
    together = [side_by_side(group, reports) for group in groups if len(group.comparisons) > 1]
    return "\n\n".join([*together, *sections])


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


def _standing(best: ComparisonReport, reports: Sequence[ComparisonReport]) -> str:
    """Name the setting of the table, its convergence, and the planned comparisons there are."""
    planned = [one.name for one in reports if one.name in PLANNED]
    return (
        f"{_mark(best)} {capitalized(convergence(best))}. n = "
        f"{best.dataset.test:,} test images; mean ± half of the 95 % interval.\n"
        f"**Bold** could be the best; ↑ higher is better, ↓ lower is. Of the {len(PLANNED)} "
        "comparisons of the [protocol](docs/protocol.md), "
        f"{len(planned)} {'is' if len(planned) == 1 else 'are'} published"
        f"{': ' + and_(planned) if planned else ''}. In full: [results](docs/results.md)."
    )


def _mark(report: ComparisonReport) -> str:
    mark = "Not converged"
    if report.has_converged:
        mark = "Converged"
    elif report.converged_runs is None:
        mark = "Not known to have converged"
    return f"**{mark}: {setting(report)}.**"


def _in_full(report: ComparisonReport) -> str:
    return "\n\n".join(
        [_mark(report), _protocol(report), comparison_table(report), _caveats(report)]
    )


def _over_all(goal: GoalAcross, reports: Sequence[ComparisonReport]) -> str:
    """The advice that the protocol allows, or which comparison gave which answer."""
    loss = advised(reports, goal.goal)
    if loss is not None:
        return f"- **To {goal.goal}**: {loss}, by the protocol's rule of three in four."
    answers: dict[str, list[str]] = {}
    for one in goal.answers:
        words = f"{one.prefer} is best" if one.decided else "undecided"
        answers.setdefault(words, []).append(one.comparison)
    said = "; ".join(f"{words} in {and_(names)}" for words, names in answers.items())
    return f"- **To {goal.goal}**: {said}."


def _short(verdict: Verdict, report: ComparisonReport) -> str:
    length = "" if verdict.epochs is None else f" after {verdict.epochs} epochs"
    out = [loss for loss in report.losses if loss not in verdict.best]
    if not verdict.tie:
        found = f"{verdict.prefer} is best{length}."
    elif out:
        found = f"undecided between {and_(verdict.best)}{length}; beaten: {and_(out)}."
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
    gone = (
        f"; for unknowns {study.seeds} more of {study.unknown_epochs} epochs that leave "
        f"{len(study.left_out[0])} classes out"
        if study.left_out
        else ""
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
        f"| Final runs | {study.seeds} seeds of {study.epochs} epochs{gone} |\n"
        f"| Machine | {report.hardware} |"
    )


def _caveats(report: ComparisonReport) -> str:
    pairs = len(report.losses) * (len(report.losses) - 1) // 2
    lines = [
        f"{capitalized(convergence(report))}. Mean ± half of the 95 % interval over seeds and "
        "test images; ↑ higher is better, ↓ lower is. **Bold** is what could be the best: no loss "
        "is better, by a test over seeds and test images with Holm's correction "
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


PIECES: dict[str, Callable[[Store], str]] = {
    "overview": overview,
    "served": served,
    "comparison": comparison,
    "models": models,
    "hypotheses": lambda store: outcomes(comparisons(store)),
}
