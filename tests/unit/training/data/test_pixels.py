"""Decoding that is stopped goes on, holds one chunk at a time, and never answers half-written."""

from pathlib import Path

import numpy as np
import pytest

from models.manifest import Preprocess
from models.preprocess import preprocess
from tests.support.odd_folders import write_class
from training.data import pixels
from training.data.pixels import decode_files
from training.errors import InvalidDataset

SPEC = Preprocess(size_px=16)


@pytest.fixture
def paths(tmp_path: Path) -> tuple[Path, ...]:
    """Eleven images, the fourth of them broken."""
    write_class(tmp_path / "cat", "cat", 11)
    found = sorted((tmp_path / "cat").iterdir())
    found[3].write_bytes(b"broken")
    return tuple(found)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "CHUNK", 2)


@pytest.mark.parametrize("stop_at", [1, 5, 9])
def test_a_stopped_decoding_goes_on_where_it_was(
    paths: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    whole = decode_files(tmp_path / "whole" / "x", paths, SPEC, "cats")
    asked: list[bytes] = []

    def stopping(encoded: bytes, spec: Preprocess) -> np.ndarray:
        if len(asked) >= stop_at:
            raise KeyboardInterrupt
        asked.append(encoded)
        return preprocess(encoded, spec)

    monkeypatch.setattr(pixels, "preprocess", stopping)
    with pytest.raises(KeyboardInterrupt):
        decode_files(tmp_path / "cache" / "x", paths, SPEC, "cats")
    assert not (tmp_path / "cache" / "x.npy").exists()

    again: list[bytes] = []

    def counting(encoded: bytes, spec: Preprocess) -> np.ndarray:
        again.append(encoded)
        return preprocess(encoded, spec)

    monkeypatch.setattr(pixels, "preprocess", counting)
    found = decode_files(tmp_path / "cache" / "x", paths, SPEC, "cats")
    assert np.array_equal(found.images, whole.images)
    assert found.failed == whole.failed
    assert len(again) <= 11 - stop_at + 3  # a chunk, and its second image, at most
    assert np.array_equal(np.load(tmp_path / "cache" / "x.npy"), whole.images)


def test_failed_files_leave_no_gap(paths: tuple[Path, ...], tmp_path: Path) -> None:
    found = decode_files(tmp_path / "cache" / "x", paths, SPEC, "cats")
    assert found.failed.keys() == {3}
    assert found.images.shape == (10, 16, 16, 3)
    expected = preprocess(paths[10].read_bytes(), SPEC)
    assert np.array_equal(found.images[9], expected)


def test_the_pixels_are_mapped_and_writing_to_them_leaves_the_cache_alone(
    paths: tuple[Path, ...], tmp_path: Path
) -> None:
    found = decode_files(tmp_path / "cache" / "x", paths, SPEC, "cats")
    assert isinstance(found.images, np.memmap)
    before = found.images[0].copy()
    found.images[0] = 0
    again = decode_files(tmp_path / "cache" / "x", paths, SPEC, "cats")
    assert np.array_equal(again.images[0], before)


def test_pixels_that_were_lost_after_they_were_noted_are_decoded_again(
    paths: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stem = tmp_path / "cache" / "x"
    whole = decode_files(stem, paths, SPEC, "cats").images.copy()
    stem.with_suffix(".npy").unlink()
    stem.with_suffix(".part").write_bytes(b"short")  # x.json says that all are done
    assert np.array_equal(decode_files(stem, paths, SPEC, "cats").images, whole)


def test_nothing_decodable_is_an_empty_array(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    found = decode_files(tmp_path / "x", (tmp_path / "a.png",), SPEC, "cats")
    assert (found.images.shape, found.failed) == ((0, 16, 16, 3), {0: "the file is empty"})


def test_a_cache_that_cannot_be_written_says_what_to_do(
    paths: tuple[Path, ...], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InvalidDataset, match="--cache DIR"):
        decode_files(tmp_path / "cache" / "x", paths, SPEC, "cats")
