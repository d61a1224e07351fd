"""Figures are whole SVG files, the same for the same data, and say what they show."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from training.evaluate.classification import confusion
from training.evaluate.figures import COLOURS, SHAPES, draw_confusion, draw_feature_space, project

NAMES = ("ant", "bee", "cow")
RANDOM = np.random.default_rng(0)
LABELS = np.arange(90) % 3


def test_a_confusion_matrix_is_the_same_svg_every_time(tmp_path: Path) -> None:
    matrix = confusion(LABELS, RANDOM.permutation(LABELS), NAMES)
    first, second = tmp_path / "a.svg", tmp_path / "deep" / "b.svg"
    for path in (first, second):
        draw_confusion(matrix, "ant & bee", path)
    assert first.read_bytes() == second.read_bytes()
    assert ElementTree.parse(first).getroot().tag.endswith("svg")


def test_a_feature_space_shows_before_and_after(tmp_path: Path) -> None:
    before, after = RANDOM.normal(size=(2, 90, 5)).astype(np.float32)
    path = tmp_path / "space.svg"
    draw_feature_space(before, after, LABELS, NAMES, path)
    text = path.read_text()
    assert "before training, n = 90" in text
    assert "after training, n = 90" in text
    assert text.count("<image") == len(NAMES) * 2 or text.count("<image") == 2


def test_a_projection_separates_what_is_far_apart() -> None:
    centers = 20 * np.eye(3, 8)
    points = (centers[np.arange(150) % 3] + RANDOM.normal(size=(150, 8))).astype(np.float32)
    flat = project(points)
    means = np.stack([flat[np.arange(150) % 3 == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(flat[:, None] - means, axis=2).argmin(axis=1)
    assert flat.shape == (150, 2)
    assert (nearest == np.arange(150) % 3).all()


def test_no_two_of_a_hundred_classes_look_alike() -> None:
    looks = {(COLOURS[k % len(COLOURS)], SHAPES[k % len(SHAPES)]) for k in range(110)}
    assert len(looks) == 110
