"""The GPU check, rehearsed on the processor: real sessions of a small model."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.gpu.__main__ import main
from benchmarks.gpu.results import GpuCheck
from benchmarks.gpu.sessions import compare_answers
from service.inference.device import CPU, choose_provider
from service.inference.session import Outputs, Session
from service.inference.work import Pixels
from tests.support.bundles import publish

pytestmark = pytest.mark.skipif(choose_provider("auto") != CPU, reason="there is a GPU")


class WrongSession(Session):
    """Stands for a device that computes wrongly."""

    def run(self, images: Pixels) -> Outputs:
        """The graph's outputs, turned around."""
        embedding, probabilities = super().run(images)
        return Outputs(-embedding, probabilities[:, ::-1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of images with two classes."""
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            place = tmp_path / "data" / part / name
            place.mkdir(parents=True)
            for number in range(12):
                pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")
    return tmp_path / "data"


def test_without_a_gpu_it_ends_with_one_status_and_writes_nothing(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    assert main(["--data", "cifar10", "--out", str(out)]) == 2
    assert not out.exists()


def test_a_rehearsal_compares_and_times_every_model(tmp_path: Path, folder: Path) -> None:
    registry, out = tmp_path / "registry", tmp_path / "gpu.json"
    for name in ("arcface", "softmax"):
        publish(registry, name)
    given = ["--rehearse", "--parts", "sessions", "--sizes", "1,4", "--out", str(out)]
    given += ["--data", str(folder), "--registry", str(registry), "--work", str(tmp_path / "work")]
    assert main(given) == 0
    found = GpuCheck.model_validate_json(out.read_bytes())
    assert [one.model for one in found.agreements] == ["arcface", "softmax"]
    assert all(one.images == 24 and one.same_label == 1 for one in found.agreements)
    assert all(min(one.per_s.values()) > 0 for one in found.throughputs)
    assert (found.card, found.troubles) == (None, ())
    assert str(tmp_path) not in out.read_text()


def test_a_part_that_fails_is_named_and_the_others_go_on(tmp_path: Path, folder: Path) -> None:
    registry, out = tmp_path / "registry", tmp_path / "gpu.json"
    damaged = publish(registry, "arcface")
    publish(registry, "softmax")
    (damaged.path / "model.onnx").write_bytes(b"nonsense")
    given = ["--rehearse", "--parts", "sessions", "--sizes", "1", "--out", str(out)]
    given += ["--data", str(folder), "--registry", str(registry), "--work", str(tmp_path / "work")]
    assert main(given) == 1
    found = GpuCheck.model_validate_json(out.read_bytes())
    assert [one.model for one in found.agreements] == ["softmax"]
    (trouble,) = found.troubles
    assert "arcface" in trouble.part


def test_other_answers_are_seen(tmp_path: Path) -> None:
    bundle = publish(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    right = Session(bundle, CPU, 1)
    wrong = WrongSession(bundle, CPU, 1)
    assert compare_answers(bundle, "cpu", right, images).embedding == 0
    found = compare_answers(bundle, "cpu", wrong, images)
    assert found.same_label < 1
    assert found.embedding > 0.1
