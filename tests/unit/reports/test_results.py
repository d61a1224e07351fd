"""Pieces of pages are made from the reports, by the numbers whichever way those fall."""

import pytest

from models.comparison import DEFAULT, ComparisonReport, Verdict
from models.store import Store
from reports import marks, results
from reports.published import advised, first, of_the_paper
from tests.support.comparisons import comparison, swapped


class Published(Store):
    """A registry in which these comparisons are published, and no model."""

    def __init__(self, *reports: ComparisonReport) -> None:
        self._reports = {one.name: one for one in reports}

    def names(self) -> tuple[str, ...]:
        return ()

    def comparison_names(self) -> tuple[str, ...]:
        return tuple(self._reports)

    def comparison(self, name: str = DEFAULT) -> ComparisonReport | None:
        return self._reports[name]


def sentence(**changed: object) -> str:
    """Return the overview's sentence on the first goal, with this changed in its verdict."""
    report = comparison()
    first, *others = report.verdicts
    verdicts = (first.model_copy(update=changed), *others)
    text = results.overview(Published(report.model_copy(update={"verdicts": verdicts})))
    return next(line for line in text.splitlines() if f"**To {first.goal}**" in line)


def test_a_goal_has_one_sentence() -> None:
    report = comparison()
    losses = report.losses
    some = losses[:2]
    decided = sentence(best=losses[:1], prefer=losses[0], tie=False, epochs=7)
    assert f"{losses[0]} is best after 7 epochs" in decided
    undecided = sentence(best=some, prefer=losses[0], tie=True, epochs=7)
    assert f"between {some[0]} and {some[1]} after 7 epochs" in undecided
    assert all(loss in undecided.split("beaten:")[1] for loss in losses[2:])
    everyone = sentence(best=losses, prefer=losses[0], tie=True, epochs=7)
    assert f"all {len(losses)}" in everyone and "beaten" not in everyone


def test_every_loss_and_goal_is_in_the_overview() -> None:
    report = comparison()
    text = results.overview(Published(report))
    assert all(f"| {loss} |" in text for loss in report.losses)
    assert all(f"**To {one.goal}**" in text for one in report.verdicts)


def test_the_protocol_is_stated() -> None:
    report = comparison()
    text = results.comparison(Published(report))
    assert f"{report.protocol.seeds} seeds of {report.protocol.epochs} epochs" in text
    assert f"n = {report.dataset.test:,} test images" in text
    assert all(one.sentence in text for one in report.verdicts)


def test_only_pieces_with_marks_are_made() -> None:
    command = "python -m reports overview"
    page = f"before\n<!-- by {command}: begin -->\nfrom before\n<!-- by {command}: end -->\nafter\n"
    store = Published(comparison())
    changed = results.updated(page, store)
    assert changed == marks.put(page, command, results.overview(store))
    assert changed.startswith("before\n") and changed.endswith("\nafter\n")
    assert "from before" not in changed
    assert results.updated(changed, store) == changed


def test_a_page_without_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        marks.put("<!-- by x: begin -->", "x", "text")


def test_without_a_comparison_there_is_no_overview() -> None:
    with pytest.raises(LookupError, match="comparison"):
        results.overview(Published())


def test_the_overview_begins_with_converged_runs_and_says_so() -> None:
    long_ = swapped("cifar10-compact", "cosface", "triplet")
    text = results.overview(Published(comparison(), long_))
    assert text.startswith("**Converged: ")
    assert "40 epochs" in text.splitlines()[0]
    assert "1 is published: cifar10-compact" in text
    assert results.overview(Published(comparison())).startswith("**Not converged: ")
    unrecorded = comparison().model_copy(update={"convergence": ()})
    assert "not recorded" in results.overview(Published(unrecorded))


def test_over_several_comparisons_a_goal_says_which_gave_which_answer() -> None:
    text = results.overview(Published(comparison(), swapped("other", "cosface", "triplet")))
    (line,) = (one for one in text.splitlines() if "**To retrieve**" in one)
    assert line == "- **To retrieve**: triplet is best in other; cosface is best in default."
    assert "- **To classify**: undecided in other and default." in text


def test_the_overview_of_many_comparisons_fits_the_readme() -> None:
    many = [swapped(f"a-name-of-twenty-{place}x", "cosface", "triplet") for place in range(6)]
    text = results.overview(Published(comparison(), *many))
    assert max(map(len, text.splitlines())) <= 250


def test_all_comparisons_are_in_full_in_the_results_with_their_flips_before_them() -> None:
    other = swapped("other", "cosface", "triplet")
    text = results.comparison(Published(comparison(), other))
    assert text.index("### Side by side") < text.index("### other") < text.index("### default")
    assert "**To retrieve**: reversed." in text
    for report in (comparison(), other):
        assert all(verdict.sentence in text for verdict in report.verdicts)


def decided(name: str, loss: str) -> ComparisonReport:
    """A comparison whose verdicts are all decided for that loss."""

    def of(verdict: Verdict) -> Verdict:
        return verdict.model_copy(update={"prefer": loss, "best": (loss,), "tie": False})

    report = comparison()
    return report.model_copy(
        update={"name": name, "verdicts": tuple(of(one) for one in report.verdicts)}
    )


def test_advice_needs_three_of_four_one_of_them_with_many_classes() -> None:
    many, compact = decided("glyphs-compact", "arcface"), decided("cifar10-compact", "arcface")
    fashion, small = decided("fashion-small", "arcface"), decided("cifar10-small", "arcface")
    assert advised((many, compact, fashion), "retrieve") == "arcface"
    assert (
        advised((many, compact, decided("fashion-small", "center"), small), "verify") == "arcface"
    )
    assert advised((compact, fashion, small), "retrieve") is None
    assert advised((many, compact), "retrieve") is None
    assert advised((decided("glyphs-compact", "center"), compact, fashion, small), "verify") is None
    assert advised((many, compact, decided("mine", "arcface")), "retrieve") is None
    assert advised((many, compact, comparison(), fashion), "classify") == "arcface"


def test_further_losses_have_a_table_of_their_own() -> None:
    report = comparison().model_copy(update={"further": ("triplet",)})
    text = results.overview(Published(report))
    own, further = text.split("Further losses:")
    assert "| triplet |" in further and "| triplet |" not in own
    assert "| softmax |" in own


def test_a_comparison_without_rounds_has_a_protocol_too() -> None:
    study = comparison().protocol.model_copy(update={"left_out": ()})
    report = comparison().model_copy(update={"protocol": study})
    assert "for unknowns" not in results.comparison(Published(report))


def test_the_paper_is_held_against_converged_runs_of_its_own_network() -> None:
    small = swapped("cifar10-small", "cosface", "triplet")
    airbench = small.protocol.model_copy(update={"backbone": "airbench"})
    small = small.model_copy(update={"protocol": airbench})
    compact = swapped("cifar10-compact", "cosface", "triplet")
    assert of_the_paper(Published(comparison(), small, compact)) == compact
    assert of_the_paper(Published(comparison(), small)) == small
    assert first(Published(comparison())) == comparison()
