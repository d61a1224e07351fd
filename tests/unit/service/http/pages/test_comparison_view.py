from models.comparison import Difference
from service.http.pages.comparison_view import arrange, improves
from tests.support.comparisons import LOSSES, comparison

COMPARING = arrange(comparison())


def marks(measure: str) -> dict[str, str]:
    row = next(row for row in COMPARING.rows if row.measure.name == measure)
    return {loss: cell.mark for loss, cell in row.cells.items()}


def test_those_that_could_be_the_best_are_marked() -> None:
    assert marks("accuracy") == {
        "softmax": "tied", "center": "tied", "cosface": "tied", "arcface": "", "triplet": "",
    }  # fmt: skip
    assert marks("eer") == {
        "softmax": "", "center": "", "cosface": "tied", "arcface": "tied", "triplet": "",
    }  # fmt: skip
    assert marks("map_at_r") == {
        "softmax": "", "center": "", "cosface": "best", "arcface": "", "triplet": "",
    }  # fmt: skip


def test_a_pair_that_was_not_tested_is_no_tie() -> None:
    untested = comparison().model_copy(update={"differences": ()})
    found = {cell.mark for row in arrange(untested).rows for cell in row.cells.values()}
    assert found == {""}


def test_differences_are_taken_from_the_baseline_however_they_are_stored() -> None:
    def turned(found: Difference) -> Difference:
        ends = found.difference
        other = ends.model_copy(update={"value": -ends.value, "low": -ends.high, "high": -ends.low})
        return found.model_copy(
            update={"first": found.second, "second": found.first, "difference": other}
        )

    stored = comparison()
    backwards = stored.model_copy(update={"differences": tuple(map(turned, stored.differences))})
    for one, other in zip(COMPARING.rows, arrange(backwards).rows, strict=True):
        assert set(one.differences) == set(LOSSES) - {"softmax"}
        assert one.differences == other.differences


def test_lower_is_better_for_some() -> None:
    eer = next(row for row in COMPARING.rows if row.measure.name == "eer")
    assert improves(eer.differences["cosface"], eer.measure)
    accuracy = COMPARING.rows[0]
    assert not improves(accuracy.differences["triplet"], accuracy.measure)


def test_the_heads_are_read_in_every_way() -> None:
    assert COMPARING.readers == ("own head", "nearest class mean", "k-NN", "linear probe")
    assert {len(row) for row in COMPARING.swaps.values()} == {4}


def test_goals_are_gathered_by_what_is_best_for_them() -> None:
    assert dict(COMPARING.choices) == {"cosface": ["retrieve"]}
    assert COMPARING.undecided == ["classify", "verify", "reject unknowns", "be calibrated"]
    assert COMPARING.preferred is not None
    reached = COMPARING.reached(COMPARING.preferred)
    assert reached is not None
    assert reached.value == 0.8043  # center's, which has the best mean


def test_a_comparison_without_a_verdict_prefers_nothing() -> None:
    assert arrange(comparison().model_copy(update={"verdicts": ()})).preferred is None
