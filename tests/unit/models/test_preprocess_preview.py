"""One decode gives what two would: the model's pixels, and the picture to look at."""

import numpy as np
import pytest

from models.manifest import Preprocess
from models.preprocess import preprocess, preprocess_with_preview, preview
from tests.support.pictures import encode, photo

SIDE_PX = 96


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size_px", [8, 32, 96])
@pytest.mark.parametrize("size", [(150, 140), (40, 30), (500, 300)])
@pytest.mark.parametrize("half_scale", [False, True])
def test_the_pixels_and_the_size_are_those_of_two_decodes(
    format_: str, size_px: int, size: tuple[int, int], half_scale: bool
) -> None:
    data = encode(photo(size=size), format_)
    spec = Preprocess(size_px=size_px, half_scale=half_scale)
    pixels, seen = preprocess_with_preview(data, spec, SIDE_PX)
    np.testing.assert_array_equal(pixels, preprocess(data, spec))
    assert (seen.mode, seen.size) == ("RGB", preview(data, SIDE_PX).size)
