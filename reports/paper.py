"""The student paper's claims, one by one, against a comparison: docs/paper.md is this."""

from models.comparison import ComparisonReport
from reports.settings import convergence, setting
from reports.words import difference_of, images_known, interval, measure_of, p_value, result_of

_SEPARATION = ("angular_margin", "fisher_ratio")
_CONFUSED = (("cat", "dog"), ("deer", "horse"))


def paper(report: ComparisonReport) -> str:
    """Markdown. Whether a claim holds is worked out from the numbers, not written down."""
    return "\n".join([_head(report), *_claims(report), *_limits(report)])


def _head(report: ComparisonReport) -> str:
    study, data = report.protocol, report.dataset
    return f"""# What holds of the paper
The student paper that LossAtlas grew out of compared five losses on a subset of CIFAR-10 with a
compact CNN, by confusion matrices and feature-space plots of single runs. Here are its claims, one
by one, against `python -m training compare`: {study.seeds} runs of each loss (seeds 0 to
{study.seeds - 1}, each with its own split and start), {study.epochs} epochs each, all alike but for
the loss, with how it draws a batch, and what was tuned: {_trials(report)}
of {study.tuning_epochs} epochs for every
loss, softmax included, on the tuning split. {data.name} ({data.edition} files):
{data.train:,} images trained on, n = {data.test:,} test images. {report.hardware}.

`±` is half of a 95 % interval over the {study.seeds} seeds and the draw of the test images; p is
Holm's, over the {len(report.losses) * (len(report.losses) - 1) // 2} pairs of losses. What they
know of the test images: {images_known(report)}.{_revised(report)}
{_edges(report)}
This page is made by `python -m reports paper` from the comparison `{report.name}`
({setting(report)}; {convergence(report)}).
"""


def _trials(report: ComparisonReport) -> str:
    study = report.protocol
    if study.trials_per_value is None:
        return f"{study.trials} Optuna trials"
    return f"{study.trials_per_value} Optuna trials for each searched value"


def _revised(report: ComparisonReport) -> str:
    if report.revised is None:
        return ""
    return (
        f"\nThe runs are of {report.evaluated:%Y-%m-%d}; the statistics were worked out anew on "
        f"{report.revised:%Y-%m-%d}, from the same measurements."
    )


def _edges(report: ComparisonReport) -> str:
    """Describe the weak points of the tuning: best values at range ends, and draws alone."""
    found = [f"{one.loss} ({', '.join(one.at_edge)})" for one in report.tuning if one.at_edge]
    drawn = all(one.drawn == len(one.trials) for one in report.tuning)
    words = []
    if found:
        words.append(
            f"Tuning chose values in the outer tenth of their ranges for {', '.join(found)}: "
            "better ones may lie outside."
        )
    if drawn:
        words.append(
            "Every trial after the first was a random draw: a verdict can rest on their luck."
        )
    return "\n".join(words)


def _claims(report: ComparisonReport) -> list[str]:
    return [
        _all_beat_the_baseline(report),
        *[_leads(report, "arcface", name) for name in _SEPARATION],
        _leads(report, "cosface", "accuracy"),
        _trails(report, "triplet", "accuracy"),
        *[_confused(report, pair) for pair in _CONFUSED],
    ]


def _all_beat_the_baseline(report: ComparisonReport) -> str:
    rows = [
        difference_of(report, "accuracy", loss, report.baseline)
        for loss in report.losses
        if loss != report.baseline
    ]
    better = [row.first for row in rows if row.significant and row.difference.value > 0]
    worse = [row.first for row in rows if row.significant and row.difference.value < 0]
    open_ = [row.first for row in rows if not row.significant]
    verdict = "does not hold" if worse else "undecided" if open_ else "holds"
    accuracy = measure_of(report, "accuracy")
    baseline = interval(result_of(report, "accuracy", report.baseline).mean, accuracy)
    lines = [
        f"## “All alternatives beat {report.baseline}”: {verdict}",
        f"Accuracy on the test set, and its difference to {report.baseline} ({baseline}):",
        "",
        "| Loss | Accuracy | Difference | | Detectable |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        own = result_of(report, "accuracy", row.first).mean
        lines.append(
            f"| {row.first} | {interval(own, accuracy)} | "
            f"{interval(row.difference, accuracy, sign=True)} | {p_value(row.p_adjusted)} | "
            f"{_points(row.detectable)} |"
        )
    lines += [
        "",
        f"Better than {report.baseline}: {_names(better)}. Worse: {_names(worse)}. "
        f"Not distinguished: {_names(open_)}. *Detectable*: the true difference that the pair's "
        "test would find 4 times in 5 at the strictest level that Holm's correction can ask for, "
        "were the spreads as seen.",
        *_power(report),
        "",
    ]
    return "\n".join(lines)


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.2f} points"


def _power(report: ComparisonReport) -> list[str]:
    found = next((one for one in report.power if one.measure == "accuracy"), None)
    if found is None:
        return []
    lead = found.lead
    return [
        f"By {found.simulations:,} simulations with the spreads seen, a loss that is "
        f"{100 * lead.value:.1f} points ahead of all others (95 %: {100 * lead.low:.1f} to "
        f"{100 * lead.high:.1f}, since the spreads come from {report.protocol.seeds} seeds) is "
        "distinguished from every one of them 4 times in 5; where all are equal, some pair is "
        f"found different in {found.false_alarms:.1%}."
    ]


def _leads(report: ComparisonReport, loss: str, name: str) -> str:
    measure = measure_of(report, name)
    claim = "separates best" if name in _SEPARATION else "is the most accurate"
    return _place(report, loss, name, f"“{loss} {claim}”, by {measure.title}", best=True)


def _trails(report: ComparisonReport, loss: str, name: str) -> str:
    return _place(report, loss, name, f"“{loss} is the weakest”", best=False)


def _place(report: ComparisonReport, loss: str, name: str, claim: str, *, best: bool) -> str:
    measure = measure_of(report, name)
    sign = 1 if measure.higher_is_better == best else -1
    rows = [difference_of(report, name, loss, one) for one in report.losses if one != loss]
    ahead = all(sign * row.difference.value > 0 for row in rows)
    sure = all(row.significant for row in rows)
    beaten = any(row.significant and sign * row.difference.value < 0 for row in rows)
    verdict = "holds" if ahead and sure else "does not hold" if beaten else "undecided"
    if verdict != "undecided" and measure.image_variance == "not included":
        verdict += " on these test images"
    gaps = "; ".join(
        f"{row.second} {interval(row.difference, measure, sign=True)} ({p_value(row.p_adjusted)})"
        for row in rows
    )
    own = interval(result_of(report, name, loss).mean, measure)
    return (
        f"## {claim}: {verdict}\n{measure.title}: {measure.description}. {loss}: {own}; less "
        f"each other loss: {gaps}.\n"
    )


def _confused(report: ComparisonReport, pair: tuple[str, str]) -> str:
    first, second = pair
    ranked = list(report.confused)
    found = [
        (place, row)
        for place, row in enumerate(ranked, start=1)
        if {row.first, row.second} == {first, second}
    ]
    claim = f"## “{first} and {second} are confused”"
    if not found:
        return (
            f"{claim}: does not hold\nThey are not among the {len(ranked)} pairs of classes "
            "with the most errors.\n"
        )
    place, row = found[0]
    low, high = min(row.by_loss.values()), max(row.by_loss.values())
    return (
        f"{claim}: holds\nErrors between the two are {row.share:.1%} of all errors, over all "
        f"losses and seeds: place {place} of all pairs of classes. By loss {low:.1%} to "
        f"{high:.1%}.\n"
    )


def _limits(report: ComparisonReport) -> list[str]:
    study = report.protocol
    schedule = f"{study.epochs} epochs, one small network and {study.seeds} seeds"
    if report.has_converged:
        length = f"All losses had converged in this schedule ({schedule}); a longer one may still "
        length += "do better, since the learning rate falls toward the end of either."
    else:
        length = f"The schedule is {schedule}, and {convergence(report)}: a loss that needs "
        length += "longer training may be at a disadvantage."
    return [
        "## What this cannot say",
        f"{length} Differences below the detectable ones stay unseen. "
        "The Metric Learning Reality Check (Musgrave et al. 2020, arXiv 2003.08505) found the "
        "same of much of its field: with equal tuning, most differences between losses are small.",
        "",
    ]


def _names(losses: list[str]) -> str:
    return ", ".join(losses) or "none"
