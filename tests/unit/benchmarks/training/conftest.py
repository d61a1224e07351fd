"""Images on disk, made once."""

from pathlib import Path

import pytest

from benchmarks.training.images import Images


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 65 images to train on, and the held-out ones."""
    folder = tmp_path_factory.mktemp("images")
    Images(folder, 65).prepare()
    return folder
