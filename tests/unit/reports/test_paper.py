"""The paper's claims are judged by the numbers, whichever way those fall."""

import pytest

from models.comparison import ComparisonReport, Difference
from models.evidence.estimate import Estimate
from reports.paper import paper
from reports.table import comparison_table
from reports.words import difference_of, interval, measure_of, p_value
from tests.support.comparisons import comparison


def judged(gaps: dict[str, float], p_adjusted: float) -> ComparisonReport:
    """The losses lie `gaps` above softmax on every measure; every difference has this p."""
    report = comparison()
    accuracy = measure_of(report, "accuracy")
    measures = (
        accuracy,
        accuracy.model_copy(update={"name": "angular_margin", "goal": None}),
        accuracy.model_copy(update={"name": "fisher_ratio", "goal": None}),
    )
    results = [row for row in report.results if row.measure == "accuracy"]
    differences = [row for row in report.differences if row.measure == "accuracy"]
    return report.model_copy(
        update={
            "measures": measures,
            "results": tuple(
                row.model_copy(update={"measure": one.name}) for one in measures for row in results
            ),
            "differences": tuple(
                difference_on(row, one.name, gaps, p_adjusted)
                for one in measures
                for row in differences
            ),
        }
    )


def difference_on(
    row: Difference, measure: str, gaps: dict[str, float], p_adjusted: float
) -> Difference:
    gap = gaps[row.first] - gaps[row.second]
    return row.model_copy(
        update={
            "measure": measure,
            "difference": Estimate(value=gap, low=gap - 0.01, high=gap + 0.01),
            "p_adjusted": p_adjusted,
        }
    )


AS_CLAIMED = {"softmax": 0.0, "center": 0.01, "cosface": 0.04, "arcface": 0.03, "triplet": 0.005}
ARCFACE_FIRST = AS_CLAIMED | {"arcface": 0.05}
REVERSED = {"softmax": 0.05, "center": 0.01, "cosface": 0.0, "arcface": 0.0, "triplet": 0.06}


def verdicts(page: str) -> dict[str, str]:
    lines = [line[3:] for line in page.splitlines() if line.startswith("## “")]
    return dict(line.rsplit(": ", 1) for line in lines)


def test_claims_that_the_numbers_bear_out_hold() -> None:
    found = verdicts(paper(judged(ARCFACE_FIRST, 0.001)))
    assert found["“All alternatives beat softmax”"] == "holds"
    assert {said for claim, said in found.items() if claim.startswith("“arcface sep")} == {"holds"}
    assert found["“cosface is the most accurate”, by Test accuracy"] == "does not hold"
    assert (
        verdicts(paper(judged(AS_CLAIMED, 0.001)))[
            "“cosface is the most accurate”, by Test accuracy"
        ]
        == "holds"
    )


def test_claims_that_the_numbers_contradict_do_not_hold() -> None:
    found = verdicts(paper(judged(REVERSED, 0.001)))
    assert found["“All alternatives beat softmax”"] == "does not hold"
    assert found["“triplet is the weakest”"] == "does not hold"
    assert found["“cosface is the most accurate”, by Test accuracy"] == "does not hold"


def test_what_no_test_tells_apart_is_undecided() -> None:
    found = verdicts(paper(judged(AS_CLAIMED, 0.9)))
    assert found["“All alternatives beat softmax”"] == "undecided"
    assert found["“triplet is the weakest”"] == "undecided"
    assert found["“cosface is the most accurate”, by Test accuracy"] == "undecided"


def test_the_page_gives_the_numbers_it_judged_by() -> None:
    page = paper(judged(AS_CLAIMED, 0.0123))
    assert "+4.00 ± 1.00 points" in page
    assert "p = 0.012" in page


@pytest.mark.parametrize(("first", "second"), [("center", "softmax"), ("softmax", "center")])
def test_a_difference_is_turned_round_as_asked(first: str, second: str) -> None:
    found = difference_of(judged(AS_CLAIMED, 0.5), "accuracy", first, second)
    assert (found.first, found.second) == (first, second)
    sign = 1 if first == "center" else -1
    assert found.difference.value == pytest.approx(sign * 0.01)
    assert found.difference.low < found.difference.value < found.difference.high


def test_numbers_in_words() -> None:
    accuracy = measure_of(comparison(), "accuracy")
    nll = measure_of(comparison(), "nll")
    estimate = Estimate(value=0.7142, low=0.7101, high=0.7183)
    assert interval(estimate, accuracy) == "71.42 ± 0.41 %"
    assert interval(estimate, accuracy, sign=True) == "+71.42 ± 0.41 points"
    assert interval(estimate, nll) == "0.714 ± 0.004"
    assert (p_value(0.0004), p_value(0.04)) == ("p < 0.001", "p = 0.040")


def test_the_table_has_every_goal_and_marks_what_no_test_tells_from_the_best() -> None:
    report = comparison()
    table = comparison_table(report)
    rows = {line.split(" |")[0].strip("| "): line for line in table.splitlines()[2:7]}
    for verdict in report.verdicts:
        measure = measure_of(report, verdict.measure)
        assert measure.title in table.splitlines()[0]
        assert verdict.sentence in table
        for row in report.results:
            if row.measure == verdict.measure:
                wording = interval(row.mean, measure)
                marked = f"**{wording}**" in rows[row.loss]
                assert wording in rows[row.loss]
                assert marked == (row.loss in verdict.best)


def test_half_of_a_cut_interval_is_the_wider_half() -> None:
    accuracy = measure_of(comparison(), "accuracy")
    assert interval(Estimate(value=0.01, low=0.0, high=0.03), accuracy) == "1.00 ± 2.00 %"


def test_a_claim_judged_on_these_images_alone_says_so() -> None:
    report = judged(ARCFACE_FIRST, 0.001)
    alone = tuple(
        one.model_copy(update={"image_variance": "not included"}) for one in report.measures
    )
    found = verdicts(paper(report.model_copy(update={"measures": alone})))
    assert found["“arcface separates best”, by Test accuracy"] == "holds on these test images"
