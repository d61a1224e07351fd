"""The measures of a run's embeddings on classes that it never saw, searched among themselves."""

from dataclasses import dataclass

import numpy as np

from models.manifest import Metric
from training.comparison import influence
from training.comparison.image_variance import Influence
from training.comparison.searched import SearchedImages
from training.evaluation.answers import Answers
from training.evaluation.retrieval import query_values

_FEWEST_CLASSES = 2


@dataclass(frozen=True)
class UnseenAnswers(SearchedImages):
    """Answers about test images of the left-out classes, labeled by the whole data set."""

    metric: Metric
    test: Answers

    @property
    def can_be_searched(self) -> bool:
        """Return whether a search can be wrong: two classes, one of them with two images."""
        counts = np.unique(self.labels, return_counts=True)[1]
        return len(counts) >= _FEWEST_CLASSES and bool((counts > 1).any())


def unseen_values(unseen: UnseenAnswers) -> dict[str, float]:
    """The measures by name; none where no answer could be wrong."""
    if not unseen.can_be_searched:
        return {}
    found = query_values(unseen.test.embeddings[unseen.rows], unseen.labels, unseen.metric)
    means = found.mean(axis=0)
    operating = unseen.operating
    consistent = {} if operating is None else {"unseen_opis": operating.accepted().opis}
    return {
        "unseen_map_at_r": float(means[-1]),
        "unseen_recall_at_1": float(means[0]),
        "unseen_eer": unseen.pairs.equal_error()[0],
        **consistent,
    }


def unseen_influences(unseen: UnseenAnswers, ids: tuple[str, ...]) -> dict[str, Influence]:
    """By how much each of the test images `ids` moves each of `unseen_values`; known ones do not.

    How many of the images are of left-out classes varies in a resample as well: each measure is a
    mean over those that are drawn.
    """
    if not unseen.can_be_searched:
        return {}
    embeddings = unseen.test.embeddings[unseen.rows]
    found = influence.of_retrieval(embeddings, unseen.labels, unseen.metric)
    moves = {f"unseen_{name}": each for name, each in found.items()}
    moves["unseen_eer"] = influence.of_equal_error(
        unseen.points, unseen.labels, unseen.metric, unseen.pairs
    )
    if unseen.operating is not None:
        moves["unseen_opis"] = unseen.operating.influence()
    places = {name: row for row, name in enumerate(ids)}
    rows = np.array([places[unseen.test.ids[row]] for row in unseen.rows.tolist()])
    return {name: influence.spread(each, rows, len(ids)) for name, each in moves.items()}
