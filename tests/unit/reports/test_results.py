"""Pieces of pages are made from the reports, by the numbers whichever way those fall."""

import pytest

from models.comparison import ComparisonReport
from models.store import Store
from reports import marks, results
from tests.support.comparisons import comparison


class Published(Store):
    """A registry in which this comparison is published."""

    def __init__(self, report: ComparisonReport | None) -> None:
        self._report = report

    def comparison(self) -> ComparisonReport | None:
        return self._report


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
    page = f"before\n<!-- by {command}: begin -->\nold\n<!-- by {command}: end -->\nafter\n"
    store = Published(comparison())
    changed = results.updated(page, store)
    assert changed == marks.put(page, command, results.overview(store))
    assert changed.startswith("before\n") and changed.endswith("\nafter\n")
    assert "old" not in changed
    assert results.updated(changed, store) == changed


def test_a_page_without_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        marks.put("<!-- by x: begin -->", "x", "text")


def test_without_a_comparison_there_is_no_overview() -> None:
    with pytest.raises(LookupError, match="comparison"):
        results.overview(Published(None))
