"""A picture of embeddings comes with how far it can be believed."""

import numpy as np
import pytest

from training.evaluation.projection import NEIGHBORS, SHOWN, nearest, shown_rows, take_picture

RANDOM = np.random.default_rng(0)


def clusters(n: int, dimension: int, classes: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % classes
    centers = 5 * np.eye(classes, dimension)
    points = centers[labels] + spread * RANDOM.normal(size=(n, dimension))
    return points.astype(np.float32), labels


def naive_order(points: np.ndarray, row: int) -> list[int]:
    """Every other row, nearest first."""
    distances = [float(np.linalg.norm(points[row] - other)) for other in points.astype(np.float64)]
    return sorted(
        (place for place in range(len(points)) if place != row), key=distances.__getitem__
    )


def test_the_measures_are_those_of_a_loop() -> None:
    points, labels = clusters(70, 6, 3, spread=3.0)
    picture = take_picture(points, labels)
    agreement, accurate, untrusted = [], [], 0
    for row in range(70):
        near = naive_order(points, row)
        near_in_picture = naive_order(picture.points, row)[:NEIGHBORS]
        agreement.append(len(set(near[:NEIGHBORS]) & set(near_in_picture)) / NEIGHBORS)
        own = sum(labels[other] == labels[row] for other in near_in_picture)
        accurate.append(own > NEIGHBORS / 2)
        untrusted += sum(max(0, near.index(other) + 1 - NEIGHBORS) for other in near_in_picture)
    # Venna and Kaski 2001
    scale = 2 / (70 * NEIGHBORS * (2 * 70 - 3 * NEIGHBORS - 1))
    measured = picture.measured
    assert 0.1 < np.mean(agreement) < 0.9
    assert measured.neighbour_agreement == pytest.approx(np.mean(agreement))
    assert measured.picture_accuracy == pytest.approx(np.mean(accurate))
    assert measured.trustworthiness == pytest.approx(1 - scale * untrusted)
    assert (measured.images, measured.neighbours) == (70, 10)


def test_a_plane_is_its_own_picture() -> None:
    points, labels = clusters(60, 2, 2, spread=1.0)
    picture = take_picture(points, labels)
    assert (picture.points == points).all()
    assert picture.measured.trustworthiness == 1
    assert picture.measured.neighbour_agreement == 1
    assert picture.measured.method.startswith("none")


def test_half_of_the_neighbors_are_not_most() -> None:
    points = np.zeros((11, 2), np.float32)  # each image's neighbors are all the others
    points[:, 0] = np.arange(11)
    labels = np.array([0] * 6 + [1] * 5)
    assert take_picture(points, labels).measured.picture_accuracy == 0
    labels[6] = 0
    assert take_picture(points, labels).measured.picture_accuracy == pytest.approx(7 / 11)


@pytest.mark.parametrize(
    ("n", "trusted", "agreed"),
    [(1, False, False), (10, False, False), (20, False, True), (21, True, True)],
)
def test_too_few_images_have_no_measures(n: int, trusted: bool, agreed: bool) -> None:
    points, labels = clusters(n, 5, 2, spread=1.0)
    picture = take_picture(points, labels)
    assert picture.points.shape == (n, 2)
    assert (picture.measured.trustworthiness is not None) == trusted
    assert (picture.measured.neighbour_agreement is not None) == agreed
    assert (picture.measured.picture_accuracy is not None) == agreed


@pytest.mark.parametrize(("n", "dimension"), [(1, 7), (2, 7), (30, 1), (150, 7)])
def test_equal_or_thin_embeddings_have_a_picture(n: int, dimension: int) -> None:
    flat = take_picture(np.ones((n, dimension), np.float32), np.zeros(n, np.int64)).points
    assert flat.shape == (n, 2)
    assert (flat == 0).all()


def test_an_image_is_not_its_own_neighbor_even_among_equals() -> None:
    near = nearest(np.ones((15, 4), np.float32))
    assert near is not None
    assert near.shape == (15, NEIGHBORS)
    assert not (near == np.arange(15)[:, None]).any()


def test_tsne_separates_what_is_far_apart_and_is_the_same_again() -> None:
    points, labels = clusters(150, 8, 3, spread=0.3)
    picture = take_picture(points, labels)
    assert picture.measured.method.startswith("t-SNE, perplexity 30")
    assert picture.measured.picture_accuracy == 1
    assert (take_picture(points, labels).points == picture.points).all()


def test_at_most_two_thousand_are_shown_each_class_by_its_share() -> None:
    labels = np.repeat([0, 1], [9_000, 1_000])
    rows = shown_rows(labels)
    assert len(rows) == SHOWN == len(set(rows.tolist()))
    assert (np.diff(rows) > 0).all()
    assert abs((labels[rows] == 1).sum() - 200) <= 1
    assert (shown_rows(labels[:50]) == np.arange(50)).all()
