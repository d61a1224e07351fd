"""A report's answers in plain words, for somebody who has never heard of its measures."""

from dataclasses import dataclass

from models.evidence.classification import Comparison
from models.evidence.confidence import Confidence
from models.evidence.selective import Statement
from models.evidence.unknowns import UnknownsSection
from models.report import Report
from service.http.pages.filters import count, interval, number, p_text, percent, points
from service.http.pages.trust import trusted

_SIGNIFICANT = 0.05
_STATED = 0.95  # the coverage that the summary speaks of


@dataclass(frozen=True)
class Claim:
    """A question that somebody asks of a model, its answer, and the section that proves it."""

    question: str
    answer: str
    detail: str
    section: str


def claims(report: Report) -> list[Claim]:
    """Return the report's findings, in the order in which a reader asks."""
    return [
        _right(report),
        _trust(report.confidence),
        _coverage(report),
        _unknowns(report.unknowns),
        _similar(report),
        _against(report.loss, report.classification.against_softmax),
    ]


def _right(report: Report) -> Claim:
    found = report.classification
    detail = (
        f"of {count(found.n)} test images get the right class "
        f"(95 % interval {interval(found.accuracy, 'percent')})."
    )
    if found.majority is not None:
        detail += (
            f" Always answering “{found.majority.label}” would be right for "
            f"{percent(found.majority.accuracy)}."
        )
    if found.top3_accuracy is not None:
        detail += f" For {percent(found.top3_accuracy.value)} it is among the three most probable."
    return Claim("How often is it right?", percent(found.accuracy.value), detail, "classification")


def _trust(confidence: Confidence) -> Claim:
    return Claim("Can I trust its confidence?", *trusted(confidence), "confidence")


def _coverage(report: Report) -> Claim:
    question = "What if it may say “not sure”?"
    statements = report.confidence.selective.statements
    found = next((one for one in statements if _states(one)), None)
    if found is None or found.error is None:
        detail = "The test images are too few for a statement at 95 % coverage."
        return Claim(question, "Too few test images", detail, "confidence")
    answer = f"At 95 % coverage the error is at most {percent(found.upper)}"
    detail = (
        f"Keeping answers of probability {number(found.threshold)} or more keeps "
        f"{percent(found.coverage)} of the test images, {percent(found.error)} of them wrong; the "
        "bound is one-sided, 95 %. "
        f"With every answer kept, {percent(1 - report.classification.accuracy.value)} are wrong."
    )
    return Claim(question, answer, detail, "confidence")


def _states(statement: Statement) -> bool:
    return abs(statement.target_coverage - _STATED) < 1e-9


def _unknowns(found: UnknownsSection) -> Claim:
    question = "Does it notice classes it never saw?"
    mean = next((one for one in found.means if one.scorer == found.rule.scorer), None)
    if mean is None and found.sets:
        return Claim(question, *_of_sets(found), "unknowns")
    if mean is None:
        detail = (
            "No model was trained without some of the classes, which is how it is measured. Until "
            "then /classify answers null for unknown."
        )
        return Claim(question, "Not measured", detail, "unknowns")
    answer = f"AUROC {mean.auroc:.3f}: {_grade(mean.auroc)}"
    detail = (
        f"Shown one image of a known class and one of a class left out of training, the score "
        f"“{mean.scorer.replace('_', ' ')}” distinguishes them in {percent(mean.auroc, 1)} "
        f"of cases (50 % is guessing; {_over(len(found.rounds))}). Accepting 95 % of the known "
        f"lets {percent(mean.fpr95, 1)} of the unknown through (FPR95)."
    )
    return Claim(question, answer, detail, "unknowns")


def _of_sets(found: UnknownsSection) -> tuple[str, str]:
    """The served model's own answers about other data sets, by the rule's score."""
    scorer = found.rule.scorer
    by_kind: dict[str, list[float]] = {}
    for one in found.sets:
        by_kind.setdefault(one.kind, []).extend(
            row.auroc.value for row in one.scorers if row.scorer == scorer
        )
    means = {kind: sum(values) / len(values) for kind, values in by_kind.items() if values}
    answer = "; ".join(f"AUROC {value:.3f} for {kind} images" for kind, value in means.items())
    names = ", ".join(f"{one.name} ({one.kind})" for one in found.sets)
    detail = (
        f"By the score “{scorer.replace('_', ' ')}”, mean over other data sets: {names}; 0.5 is "
        "guessing. No model was trained without some of the classes, so classes of the same kind "
        "of image are another matter, and /classify answers null for unknown."
    )
    return answer, detail


def _over(rounds: int) -> str:
    return "one round" if rounds == 1 else f"mean of {rounds} rounds"


def _grade(auroc: float) -> str:
    for least, word in ((0.95, "reliably"), (0.85, "mostly"), (0.7, "to some degree")):
        if auroc >= least:
            return word
    return "hardly"


def _similar(report: Report) -> Claim:
    question = "Does it find similar images?"
    found, eer = report.retrieval, report.verification.eer
    if found.recall_at_1 is None or found.map_at_r is None:
        detail = "No test image has another one of its class to find."
        return Claim(question, "Not defined", detail, "retrieval")
    detail = (
        f"of {count(found.queries)} queries have an image of their class as their nearest (95 % "
        f"interval {interval(found.recall_at_1, 'percent')}); MAP@R "
        f"{percent(found.map_at_r.value)}."
    )
    if eer is not None:
        detail += f" “Same class or not?” is answered wrongly for {percent(eer.value)} of pairs."
    answer = f"Recall@1 {percent(found.recall_at_1.value)}"
    return Claim(question, answer, detail, "retrieval")


def _against(loss: str, found: Comparison | None) -> Claim:
    question = "Is it better than softmax?"
    if found is None:
        is_baseline = loss == "softmax"
        answer = "It is the baseline" if is_baseline else "Not measured"
        detail = (
            "The other losses are compared to this one."
            if is_baseline
            else "No softmax model of the same test set was available."
        )
        return Claim(question, answer, detail, "classification")
    detail = (
        f"{points(found.accuracy_difference.value)} points of accuracy (95 % interval "
        f"{points(found.accuracy_difference.low)} to {points(found.accuracy_difference.high)}), "
        f"McNemar's test {p_text(found.test.p_value)}, on the same test images. One run of "
        f"each: another seed moves both."
    )
    return Claim(question, _verdict(found), detail, "classification")


def _verdict(found: Comparison) -> str:
    if found.test.p_value >= _SIGNIFICANT:
        return "No detectable difference"
    better = found.test.only_own_right > found.test.only_baseline_right
    return "This run is better" if better else "This run is worse"
