"""The losses side by side, as Markdown tables made from the comparison and from the reports."""

from collections.abc import Sequence

from models.comparison import ComparisonReport, Verdict
from models.comparison_protocol import Measure
from models.evidence.confidence import Confidence
from models.report import Report
from models.store import Store
from reports.across import Across, GoalAcross, GoalAnswer
from reports.settings import convergence, setting
from reports.words import and_, interval, result_of

_HEAD = "| Model | Test accuracy | Macro F1 | Errors to softmax | ECE at T = 1, served | Training |"


def results_table(store: Store, version: int) -> str:
    """One row per model of that version, best accuracy first, from each report.json."""
    names = [name for name in store.names() if version in store.versions(name)]
    reports = [store.load(name, version).report for name in names]
    ranked = sorted(reports, key=lambda report: -report.classification.accuracy.value)
    return "\n".join([_HEAD, "|---|---|---|---|---|---|", *map(_row, ranked)])


def comparison_table(report: ComparisonReport) -> str:
    """One row per loss, in order of simplicity: the goals' measures, then the verdicts."""
    verdicts = [f"- **To {one.goal}**: {' '.join(_said(one))}" for one in report.verdicts]
    return "\n".join([measures_table(report), "", *verdicts])


def measures_table(report: ComparisonReport) -> str:
    """One row per loss: the measure of each goal, in bold where the loss could be the best."""
    own = [loss for loss in report.losses if loss not in report.further]
    return "\n\n".join(
        f"{title}{_measures_of(report, losses)}"
        for title, losses in (("", own), ("Further losses:\n\n", report.further))
        if losses
    )


def side_by_side(group: Across, reports: Sequence[ComparisonReport]) -> str:
    """One row per goal and a column per comparison, then where the answers flip."""
    by_name = {one.name: one for one in reports}
    head = ["Goal", *group.comparisons, "Over all"]
    rows = [_goal_row(goal, group.comparisons) for goal in group.goals]
    flips = [
        f"- **To {goal.goal}**: {goal.agreement}. {' '.join(goal.sentences)}"
        for goal in group.goals
        if goal.sentences
    ]
    settings = [
        f"- {name}: {setting(by_name[name])}; {convergence(by_name[name])}."
        for name in group.comparisons
    ]
    settled = [f"- {sentence}" for sentence in group.settings]
    pieces = [
        _lines([head, ["---"] * len(head), *rows]),
        *map("\n".join, (settings, flips, settled)),
    ]
    return f"### Side by side: {and_(group.losses)}\n" + "\n\n".join(one for one in pieces if one)


def _goal_row(goal: GoalAcross, names: Sequence[str]) -> list[str]:
    answers = {one.comparison: _answer(one) for one in goal.answers}
    cells = [answers.get(name, "not part of it") for name in names]
    return [goal.goal, *cells, goal.agreement or "one answer"]


def _answer(answer: GoalAnswer) -> str:
    words = f"**{answer.prefer}**" if answer.decided else f"undecided: {', '.join(answer.best)}"
    if answer.converged is None:
        return f"{words} (convergence not recorded)"
    return words if answer.converged else f"{words} (not converged)"


def _measures_of(report: ComparisonReport, losses: Sequence[str]) -> str:
    measures = [one for one in report.measures if one.goal is not None]
    head = ["Loss", *(f"{one.title} {_better(one)}" for one in measures)]
    rows = [[loss, *(_marked(report, one, loss) for one in measures)] for loss in losses]
    return _lines([head, ["---"] * len(head), *rows])


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _said(verdict: Verdict) -> list[str]:
    against = [one.sentence for one in verdict.opinions if set(one.best) != set(verdict.best)]
    return [verdict.sentence, *against]


def _better(measure: Measure) -> str:
    return "↑" if measure.higher_is_better else "↓"


def _marked(report: ComparisonReport, measure: Measure, loss: str) -> str:
    text = interval(result_of(report, measure.name, loss).mean, measure)
    verdict = next(one for one in report.verdicts if one.measure == measure.name)
    return f"**{text}**" if loss in verdict.best else text


def _row(report: Report) -> str:
    found = report.classification
    return (
        f"| {report.name} | {found.accuracy.value:.2%} | {found.macro_f1:.4f} | "
        f"{_errors(report)} | {_calibration(report.confidence)} | "
        f"{_training(report)} |"
    )


def _calibration(confidence: Confidence) -> str:
    return f"{confidence.before.ece.value:.2%}, {confidence.after.ece.value:.2%}"


def _errors(report: Report) -> str:
    against = report.classification.against_softmax
    if against is None or report.loss == against.baseline:
        return "baseline"
    return f"{sum(row.false_negatives_difference for row in against.classes):+d}"


def _training(report: Report) -> str:
    """The run's own epochs and time, and whether something was trained before."""
    origin, recipe = report.provenance, report.provenance.recipe
    own = f"{_epochs(len(report.learning_curve))}, {duration(origin.training_seconds)}"
    if recipe.get("frozen"):
        return f"last layers alone: {own}; the trunk before"
    if recipe.get("weights", "random") != "random":
        return f"{own}, from trained weights"
    return own


def _epochs(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def duration(seconds: float) -> str:
    """In whole minutes, or in seconds where it is less than one."""
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
