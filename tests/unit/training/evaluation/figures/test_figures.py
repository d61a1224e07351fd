"""Figures are whole SVG files, the same for the same data, and say what they show."""

from pathlib import Path

import numpy as np
import pytest

from models.evidence.classification import Classification
from models.report import Figure
from tests.support import drawn
from tests.support.answered import answered
from tests.support.classified import LABELS
from tests.support.report_geometry import feature_space
from tests.support.reports import least, report
from training.evaluation.classification import classification_section
from training.evaluation.figures.bundle import FigureData, draw_report
from training.evaluation.figures.confused import draw_most_confused, example_ids
from training.evaluation.figures.confusion import draw_confusion
from training.evaluation.figures.feature_space import draw_feature_space
from training.evaluation.figures.plane import TrainedPlanePoints, describe_plane, draw_plane
from training.evaluation.figures.roc import draw_roc
from training.evaluation.figures.style import COLORS, SHAPES, look, short
from training.evaluation.projection import PlaneProjection

RANDOM = np.random.default_rng(0)
ROWS = np.arange(500) % len(LABELS)
REPORT = report("arcface")
STRANGE = ("<b>&", "$x_1$", "_hidden", "null\x00byte", "犬", "a" * 80, "back\\slash", "\u202eabc")


def picture(quality: str) -> PlaneProjection:
    points = RANDOM.normal(size=(500, 2)).astype(np.float32)
    return PlaneProjection(points, ROWS, getattr(feature_space(), quality))


def plane_points(names: tuple[str, ...] = LABELS) -> TrainedPlanePoints:
    points = RANDOM.normal(size=(500, 2)).astype(np.float32)
    anchors = RANDOM.normal(size=(len(names), 2)).astype(np.float32)
    return TrainedPlanePoints(points, np.arange(500) % len(names), names, "cosine", anchors)


def examples(section: Classification) -> dict[str, np.ndarray]:
    shape = (12, 20, 3)
    return {name: RANDOM.integers(256, size=shape, dtype=np.uint8) for name in example_ids(section)}


MATERIAL = FigureData(
    examples(REPORT.classification), (picture("before"), picture("after")), plane_points()
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("figures")


@pytest.fixture(scope="module")
def figures(folder: Path) -> tuple[Figure, ...]:
    return draw_report(REPORT, MATERIAL, folder)


def test_a_whole_report_has_every_figure(figures: tuple[Figure, ...], folder: Path) -> None:
    assert [figure.name for figure in figures] == [
        "confusion-matrix",
        "most-confused",
        "reliability",
        "risk-coverage",
        "unknowns",
        "distances",
        "verification",
        "robustness",
        "feature-space",
        "plane",
        "learning-curve",
    ]
    assert {path.name for path in folder.iterdir()} == {f"{each.name}.svg" for each in figures}


def test_each_is_small_titled_and_legible(figures: tuple[Figure, ...], folder: Path) -> None:
    for figure in figures:
        path = folder / f"{figure.name}.svg"
        assert path.stat().st_size < 300_000, figure.name
        assert drawn.title(path)
        assert drawn.smallest_font_px(path) >= 9, figure.name
        assert figure.title
        assert figure.caption.endswith(".")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("confusion-matrix", ("Accuracy 78.6 % of n = 1,000 test images", "cat", "true class")),
        ("most-confused", ("cat → dog", "12 of 100 (12.0 %)", "n = 1,000 test images")),
        (
            "reliability",
            (
                "before calibration",
                "ECE 6.31 % (4.42 to 8.83)",
                "as served",
                "ECE 1.12 % (0.78 to 1.57)",
                "right answers (%)",
                "confidence (%), n = 1,000 test images",
            ),
        ),
        (
            "risk-coverage",
            (
                "AURC 0.0571",
                "95.0 % answered: at most 19.2 % wrong",
                "coverage: share of images answered (%), n = 1,000 test images",
            ),
        ),
        (
            "unknowns",
            ("without aeroplane, bird", "800 known, 200 unknown", "mean of the rounds"),
        ),
        (
            "distances",
            (
                "one class (49,500 pairs)",
                "two classes (450,000 pairs)",
                "Euclidean distance of unit-length embeddings",
                "angle seen from the origin (degrees)",
                "0.71",
                "1.33",
                "43°",
                "87°",
            ),
        ),
        (
            "verification",
            (
                "equal error rate: 14.3 % (13.1 to 15.6)",
                "TAR at FAR 1 %: 51.2 % (50.0 to 52.5)",
                "TAR at FAR 0.1 %: 23.4 % (22.2 to 24.7)",
                "false accept rate, of 450,000 pairs of two classes",
            ),
        ),
        (
            "feature-space",
            (
                "before training, n = 500",
                "after training, n = 500",
                "trustworthiness 0.812",
                "trustworthiness 0.957",
                "10-NN agreement 65.7 %",
                "mostly own class nearby 75.7 %",
            ),
        ),
        (
            "plane",
            (
                "accuracy 73.5 %, n = 1,000 test images, 10 classes in 2-D",
                "scale 16, margin 0.3 (largest margin that fits: 0.628)",
                "room for each class: 36.0°",
            ),
        ),
        ("learning-curve", ("epoch", "mean training loss", "accuracy (%)")),
    ],
)
def test_a_figure_says(
    name: str, lines: tuple[str, ...], figures: tuple[Figure, ...], folder: Path
) -> None:
    found = drawn.words(folder / f"{name}.svg")
    assert [line for line in lines if line not in found] == []


def test_captions_state_n(figures: tuple[Figure, ...]) -> None:
    captions = {figure.name: figure.caption for figure in figures}
    for name in ("confusion-matrix", "most-confused", "reliability", "risk-coverage", "distances"):
        assert "1,000" in captions[name], name
    assert "49,500 of one class, 450,000 of two" in captions["verification"]
    assert "500 test images" in captions["feature-space"]
    assert "500 of 1,000 test images" in captions["plane"]
    assert "5,000" in captions["learning-curve"]
    assert "(n = 3)" in captions["unknowns"]


def test_what_the_report_has_no_numbers_for_is_not_drawn(tmp_path: Path) -> None:
    (tmp_path / "unknowns.svg").write_text("of an earlier report")
    material = FigureData({}, (picture("before"), picture("after")))
    found = draw_report(least("arcface"), material, tmp_path)
    assert [figure.name for figure in found] == ["reliability", "feature-space"]
    assert {path.stem for path in tmp_path.iterdir()} == {"reliability", "feature-space"}


def test_the_same_data_gives_the_same_bytes(tmp_path: Path) -> None:
    before, after = picture("before"), picture("after")
    for folder in ("a", "deep/b"):
        draw_confusion(REPORT.classification, tmp_path / folder / "confusion.svg")
        draw_roc(REPORT.verification, tmp_path / folder / "roc.svg")
        draw_feature_space(
            (before, after), "before training", LABELS, tmp_path / folder / "space.svg"
        )
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "deep/b" / path.name).read_bytes(), path.name


def test_rows_are_true_classes_and_columns_predicted_ones(tmp_path: Path) -> None:
    counts = {(0, 0): 91, (0, 1): 7, (1, 0): 13, (1, 1): 82}
    labels = np.repeat([true for true, _ in counts], list(counts.values()))
    predicted = np.repeat([other for _, other in counts], list(counts.values()))
    path = tmp_path / "matrix.svg"
    section = classification_section(answered(np.eye(2)[predicted], labels), ("ant", "bee"), None)
    draw_confusion(section, path)
    hit, mistaken, other = (drawn.place(path, str(counts[key])) for key in ((0, 0), (0, 1), (1, 0)))
    assert mistaken[0] > hit[0] and mistaken[1] == pytest.approx(hit[1])
    assert other[1] > hit[1] and other[0] == pytest.approx(hit[0], abs=1)


def test_many_classes_are_thinned(tmp_path: Path) -> None:
    names = tuple(f"class {place}" for place in range(120))
    labels = RANDOM.integers(120, size=600)
    path = tmp_path / "matrix.svg"
    draw_confusion(classification_section(answered(np.eye(120)[labels], labels), names, None), path)
    found = drawn.words(path)
    ticks = [word for word in found if word in names]
    assert 20 < len(ticks) < 120
    assert not any(word.isdigit() and int(word) > 100 for word in found)
    assert any("named)" in word for word in found)


def test_only_examples_at_hand_are_shown(figures: tuple[Figure, ...], folder: Path) -> None:
    section = REPORT.classification
    shown = sum(len(pair.examples[:6]) for pair in section.most_confused[:6])
    assert drawn.images(folder / "most-confused.svg") == shown
    path = folder / "fewer" / "most-confused.svg"
    draw_most_confused(
        section, {section.most_confused[0].examples[0]: np.zeros((9, 5, 3), np.uint8)}, path
    )
    assert drawn.images(path) == 1


def test_a_scatter_is_one_image_a_panel(figures: tuple[Figure, ...], folder: Path) -> None:
    assert drawn.images(folder / "feature-space.svg") == 2
    assert drawn.images(folder / "plane.svg") == 1


def test_any_name_can_be_drawn(tmp_path: Path) -> None:
    labels = np.arange(400) % len(STRANGE)
    section = classification_section(
        answered(np.eye(len(STRANGE))[labels[::-1]], labels), STRANGE, None
    )
    draw_confusion(section, tmp_path / "matrix.svg")
    draw_most_confused(section, {}, tmp_path / "confused.svg")
    plane = feature_space().plane
    assert plane is not None
    draw_plane(plane_points(STRANGE), plane, tmp_path / "plane.svg")
    for path in tmp_path.iterdir():
        found = " ".join(drawn.words(path))
        assert all(name in found for name in ("<b>&", "$x_1$", "_hidden", "犬", "back\\slash"))
        assert "a" * 40 not in found


def test_a_plane_without_a_bound_says_nothing_of_one(tmp_path: Path) -> None:
    plane = REPORT.feature_space.plane
    assert plane is not None
    free = plane.model_copy(update={"largest_margin": None, "parameters": {}})
    shown = plane_points()
    points = TrainedPlanePoints(shown.points, shown.labels, shown.names, "l2")
    draw_plane(points, free, tmp_path / "plane.svg")
    found = drawn.words(tmp_path / "plane.svg")
    assert not any("margin" in word or "direction" in word for word in found)
    assert "margin" not in describe_plane(points, free).caption


def test_no_two_of_a_hundred_classes_look_alike() -> None:
    assert len({look(label) for label in range(len(COLORS) * len(SHAPES))}) == 110


def test_a_long_name_is_cut() -> None:
    assert short("aardvark") == "aardvark"
    assert short("a" * 30) == "a" * 21 + "…"
