"""The bound of decoding: 2 CPU seconds for each MiB begun, whatever the bytes."""

import struct
from contextlib import suppress
from time import process_time

import pytest

from models.errors import ImageTooLarge, UndecodableImage
from models.manifest import Preprocess
from models.preprocess import effort, preprocess, preview
from tests.support.bombs import BOMBS, SIDE, bomb

MIB = 2**20
MOST_S_PER_MIB = 2
SPEC = Preprocess(size_px=32)


def _decoded_within(data: bytes, allowed_s_per_mib: float) -> None:
    started = process_time()
    try:
        pixels = preprocess(data, SPEC)
    except (UndecodableImage, ImageTooLarge):
        pass
    else:
        assert pixels.shape == (32, 32, 3)
    assert process_time() - started < allowed_s_per_mib * -(-len(data) // MIB)


@pytest.mark.parametrize("name", BOMBS)
def test_no_image_costs_more_than_its_bytes_allow(name: str) -> None:
    """A quarter of the pixels that an image may have; of few bytes, in a quarter of the time."""
    data = bomb(name, MIB, SIDE // 2)
    by_pixels = len(data) < MIB / 2
    _decoded_within(data, MOST_S_PER_MIB / 4 if by_pixels else MOST_S_PER_MIB)


@pytest.mark.variant
@pytest.mark.parametrize("name", BOMBS)
def test_no_image_as_large_as_may_be_costs_more_than_its_bytes_allow(name: str) -> None:
    _decoded_within(bomb(name, MIB), MOST_S_PER_MIB)


@pytest.mark.parametrize("name", BOMBS)
def test_a_header_costs_almost_nothing(name: str) -> None:
    data = bomb(name, MIB, SIDE // 2)
    costs_s = []
    for _ in range(3):  # one of them may meet the collection of all other tests' garbage
        started = process_time()
        with suppress(UndecodableImage):
            assert effort(data) > 0
        costs_s.append(process_time() - started)
    assert min(costs_s) < 0.1


@pytest.mark.parametrize("name", ["jpeg scans", "png alpha", "gif tiny blocks", "bmp line ends"])
def test_a_thumbnail_costs_no_more(name: str) -> None:
    data = bomb(name, MIB, SIDE // 2)
    started = process_time()
    with suppress(UndecodableImage):
        preview(data, 96)
    assert process_time() - started < MOST_S_PER_MIB / 2


def test_a_few_bytes_that_claim_many_pixels_are_refused_before_they_are_decoded() -> None:
    claimed = b"GIF89a" + struct.pack("<HHBBB", 7000, 7000, 0x80, 0, 0) + bytes(6)
    frame = struct.pack("<BHHHHBB", 0x2C, 0, 0, 7000, 7000, 0, 2) + b"\1\x44\0;"
    started = process_time()
    for _ in range(256):
        with pytest.raises(UndecodableImage):
            preprocess(claimed + frame, SPEC)
    assert process_time() - started < MOST_S_PER_MIB
