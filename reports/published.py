"""The comparisons that a registry holds, and which of them a page is about."""

from collections.abc import Sequence

from models.comparison import ComparisonReport
from models.store import Store
from reports.across import headline

PLANNED = ("glyphs-compact", "cifar10-compact", "fashion-small", "cifar10-small")
"""The comparisons of docs/protocol.md, by name, in the order of their runs."""
FURTHER = "cifar10-small-further"
"""The further losses beside softmax and cosface, in the setting of `cifar10-small`."""
_UNSEEN = "glyphs-compact"  # of which the protocol's rule of advice asks for
_OF_FOUR = 3


def comparisons(store: Store) -> tuple[ComparisonReport, ...]:
    """All that are published, the default one first. Raises ComparisonDamaged."""
    found = (store.comparison(name) for name in store.comparison_names())
    return tuple(one for one in found if one is not None)


def first(store: Store) -> ComparisonReport:
    """The headline: converged where there is one. Raises LookupError without any."""
    report = headline(comparisons(store))
    if report is None:
        raise LookupError("no comparison is published; run: python -m training compare")
    return report


def of_the_paper(store: Store) -> ComparisonReport:
    """The one that comes nearest to the student paper. Raises LookupError without any.

    Of the default models' data set, where one is; then converged; then of the paper's network.
    """
    first(store)
    own = _own_data(store)
    return max(
        comparisons(store),
        key=lambda one: (
            one.dataset.sha256 == own,
            one.has_converged,
            one.protocol.backbone == "compact",
            one.evaluated,
        ),
    )


def advised(reports: Sequence[ComparisonReport], goal: str) -> str | None:
    """The loss that docs/protocol.md lets the README advise for a goal; None where it lets none.

    Its verdict is decided for the same loss in three of the four planned comparisons, one of them
    with many classes.
    """
    decided = {
        one.name: verdict.prefer
        for one in reports
        if one.name in PLANNED
        for verdict in one.verdicts
        if verdict.goal == goal and not verdict.tie
    }
    loss = decided.get(_UNSEEN)
    same = [one for one in decided.values() if one == loss]
    return loss if loss is not None and len(same) >= _OF_FOUR else None


def _own_data(store: Store) -> str | None:
    names = store.names()
    if not names:
        return None
    return store.load(names[0]).report.provenance.dataset.sha256
