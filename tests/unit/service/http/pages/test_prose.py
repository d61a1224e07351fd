import pytest

from models.evidence.estimate import Estimate
from models.report import Report
from service.http.pages.prose import claims
from tests.support.reports import least, report


def answers(shown: Report) -> dict[str, str]:
    return {claim.question: claim.answer for claim in claims(shown)}


TRUST = "Can I trust its confidence?"
BETTER = "Is it better than softmax?"


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.0, 0.02, "Yes"),
        (0.01, 0.0201, "Roughly"),
        (0.03, 0.05, "Roughly"),
        (0.0201, 0.051, "No"),
        (0.0, 0.051, "Too few images to say"),
        (0.02, 0.2, "Too few images to say"),
    ],
)
def test_trust_goes_by_the_interval(low: float, high: float, word: str) -> None:
    shown = report("arcface")
    ece = Estimate(value=0.012, low=low, high=high)
    after = shown.confidence.after.model_copy(update={"ece": ece})
    confidence = shown.confidence.model_copy(update={"after": after})
    found = answers(shown.model_copy(update={"confidence": confidence}))[TRUST]
    assert found == f"{word}: 1.2 points off on average"


@pytest.mark.parametrize(
    ("p_value", "own", "other", "answer"),
    [
        (0.05, 90, 50, "No detectable difference"),
        (0.049, 90, 50, "This run is better"),
        (0.0, 50, 90, "This run is worse"),
    ],
)
def test_a_difference_needs_mcnemars_word(
    p_value: float, own: int, other: int, answer: str
) -> None:
    shown = report("arcface")
    against = shown.classification.against_softmax
    assert against is not None
    test = against.test.model_copy(
        update={"p_value": p_value, "only_own_right": own, "only_baseline_right": other}
    )
    classification = shown.classification.model_copy(
        update={"against_softmax": against.model_copy(update={"test": test})}
    )
    assert answers(shown.model_copy(update={"classification": classification}))[BETTER] == answer


def test_what_was_not_measured_is_said_to_be_so() -> None:
    assert answers(report("softmax"))[BETTER] == "It is the baseline"
    found = answers(least("arcface"))
    assert found[BETTER] == "Not measured"
    assert found["Does it notice classes it never saw?"] == "Not measured"
    assert found["Does it find similar images?"] == "Not defined"
    assert found["What if it may say “not sure”?"] == "Too few test images"


def test_other_data_sets_answer_for_a_model_without_rounds() -> None:
    whole = report("arcface")
    alone = whole.unknowns.model_copy(update={"rounds": (), "means": (), "chosen_by": "default"})
    shown = whole.model_copy(update={"unknowns": alone})
    question = "Does it notice classes it never saw?"
    assert answers(shown)[question] == "AUROC 0.854 for near images; AUROC 0.854 for far images"
    detail = next(one.detail for one in claims(shown) if one.question == question)
    assert "other-birds (near), scribbles (far)" in detail
    assert "answers null" in detail


def test_every_claim_leads_to_a_section_and_has_a_number_behind_it() -> None:
    for claim in claims(report("arcface")):
        assert claim.section in {"classification", "confidence", "unknowns", "retrieval"}
        assert any(letter.isdigit() for letter in claim.detail)
