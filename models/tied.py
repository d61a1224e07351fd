"""Losses that the tests separate, and losses that could be the best."""

from collections.abc import Iterable, Iterator, Sequence

from models.comparison import Difference
from models.comparison_protocol import Measure


def unbeaten(
    losses: Sequence[str], tests: Iterable[Difference], measure: Measure
) -> tuple[str, ...]:
    """The losses that no other is distinguished from and better than, in the order given.

    No pair of them is distinguished: one of the two would be beaten. `tests` are of this measure.
    """
    beaten = {_worse(test, measure) for test in tests if test.significant}
    return tuple(loss for loss in losses if loss not in beaten)


def tied_sets(losses: Sequence[str], tests: Iterable[Difference]) -> tuple[tuple[str, ...], ...]:
    """All largest sets of losses, two at least, of which every pair was tested and found equal.

    Being tied does not carry over: A may be tied with B and B with C where A and C differ.
    """
    pairs = {frozenset((test.first, test.second)) for test in tests if not test.significant}
    neighbors = {
        loss: {other for other in losses if frozenset((loss, other)) in pairs} for loss in losses
    }
    found = (clique for clique in _cliques(set(), set(losses), set(), neighbors) if len(clique) > 1)
    order = {loss: place for place, loss in enumerate(losses)}
    ranked = (tuple(sorted(clique, key=order.__getitem__)) for clique in found)
    return tuple(sorted(ranked, key=lambda clique: [order[loss] for loss in clique]))


def _worse(test: Difference, measure: Measure) -> str:
    return test.second if (test.difference.value > 0) == measure.higher_is_better else test.first


def _cliques(
    chosen: set[str], open_: set[str], done: set[str], neighbors: dict[str, set[str]]
) -> Iterator[set[str]]:
    """Bron and Kerbosch 1973: every clique that holds `chosen` and cannot grow."""
    if not open_ and not done:
        yield chosen
    for loss in sorted(open_):
        near = neighbors[loss]
        yield from _cliques(chosen | {loss}, open_ & near, done & near, neighbors)
        open_, done = open_ - {loss}, done | {loss}
