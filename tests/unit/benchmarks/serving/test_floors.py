"""The floors count the decoding that the served model asks for."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving.floors import as_served
from benchmarks.serving.peers.model import VERSION, folder
from models.bundle import MANIFEST
from models.manifest import Manifest
from models.preprocess import preprocess

PHOTO = Path(__file__).parents[3] / "data" / "large" / "astronaut.jpg"


@pytest.mark.parametrize("version", ["1", "2"])
def test_images_are_decoded_as_the_version_s_manifest_says(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VERSION, version)
    spec = Manifest.model_validate_json((folder() / MANIFEST).read_bytes()).preprocess
    assert spec.half_scale == (version == "1")
    data = PHOTO.read_bytes()
    other = spec.model_copy(update={"half_scale": not spec.half_scale})
    assert np.array_equal(as_served(data), preprocess(data, spec))
    assert not np.array_equal(as_served(data), preprocess(data, other))
