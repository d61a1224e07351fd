import numpy as np
import pytest

from models.bundle import Gallery
from service.inference.gallery import ModelGallery
from service.registry.errors import UnknownThumbnail
from service.vectors import ExactIndex
from service.vectors.errors import InvalidFilter, UnknownItem
from service.vectors.filters import parse_filter
from service.vectors.query import Search

LABELS = ("bird", "cat", "dog")
N = 30
RNG = np.random.default_rng(0)
EMBEDDINGS = RNG.normal(size=(N, 5)).astype(np.float32)
IDS = tuple(f"{i}.png" for i in range(N))


@pytest.fixture
def gallery() -> ModelGallery:
    index = ExactIndex(5, "l2")
    index.add(np.arange(N), EMBEDDINGS)
    labels = np.arange(N) % len(LABELS)
    return ModelGallery(LABELS, "l2", Gallery(EMBEDDINGS, labels, IDS), index, None)


def nearest(query: int) -> list[int]:
    order: list[int] = np.argsort(((EMBEDDINGS - EMBEDDINGS[query]) ** 2).sum(axis=1)).tolist()
    return order


def test_it_finds_what_is_nearest(gallery: ModelGallery) -> None:
    (near,) = gallery.search(EMBEDDINGS[:1], Search(4))
    assert [one.row for one in near] == nearest(0)[:4]
    assert [(one.id, one.label) for one in near] == [
        (IDS[i], LABELS[i % 3]) for i in nearest(0)[:4]
    ]


def test_an_item_is_left_out_of_its_own_neighbors_alone(gallery: ModelGallery) -> None:
    query = Search(N, without=(IDS[3], IDS[4]))
    first, second = gallery.search(EMBEDDINGS[[3, 4]], query)
    assert [one.row for one in first] == nearest(3)[1:]
    assert [one.row for one in second] == nearest(4)[1:]
    (others,) = gallery.search(EMBEDDINGS[[3]], Search(2, without=(IDS[20],)))
    assert len(others) == 2


@pytest.mark.parametrize(
    ("asked", "labels"),
    [
        ({"label": "cat"}, {"cat"}),
        ({"label": {"in": ["cat", "dog", 3]}}, {"cat", "dog"}),
        ({"label": {"gt": "bird"}}, {"cat", "dog"}),
        ({"label": {"gte": "bird", "lt": "dog"}}, {"bird", "cat"}),
        ({"label": {"lte": 3}}, set()),
    ],
)
def test_a_filter_on_the_label_costs_no_hits(
    gallery: ModelGallery, asked: dict[str, object], labels: set[str]
) -> None:
    (near,) = gallery.search(EMBEDDINGS[:1], Search(10, parse_filter(asked)))
    wanted = [i for i in nearest(0) if LABELS[i % 3] in labels]
    assert [one.row for one in near] == wanted[:10]


def test_a_least_score_and_a_filter_go_together(gallery: ModelGallery) -> None:
    query = Search(10, parse_filter({"label": "cat"}), min_score=-8.0, without=(IDS[1],))
    (near,) = gallery.search(EMBEDDINGS[[1]], query)
    distances = ((EMBEDDINGS - EMBEDDINGS[1]) ** 2).sum(axis=1)
    wanted = [i for i in nearest(1) if i % 3 == 1 and i != 1 and distances[i] <= 8.0]
    assert [one.row for one in near] == wanted[:10]
    assert 0 < len(near) < 9


def test_its_items_have_nothing_else_to_ask_for(gallery: ModelGallery) -> None:
    with pytest.raises(InvalidFilter, match="'species'"):
        gallery.search(EMBEDDINGS[:1], Search(1, parse_filter({"species": "cat"})))


def test_items_have_vectors_by_id(gallery: ModelGallery) -> None:
    np.testing.assert_array_equal(gallery.vectors([IDS[4], IDS[1]]), EMBEDDINGS[[4, 1]])
    with pytest.raises(UnknownItem):
        gallery.vectors([IDS[4], "nix"])


def test_without_thumbnails_there_is_none(gallery: ModelGallery) -> None:
    assert not gallery.has_thumbnails
    with pytest.raises(UnknownThumbnail):
        gallery.thumbnail(0)
