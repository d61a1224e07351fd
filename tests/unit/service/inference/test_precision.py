"""The graph that answers: by the setting, the bundle, the processor and the golden batch."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import BundleDamaged
from models.manifest import Precision
from models.store import Store
from service.inference import precision as chosen_by
from service.inference.device import CPU
from service.inference.loader import Loader
from service.inference.precision import is_faster, precision_here
from service.machine.hardware import multiplies_int8
from service.settings import PrecisionChoice
from tests.support.bundles import publish, run
from tests.support.precisions import publish_in_two


def loaded(root: Path, choice: PrecisionChoice) -> Loader:
    return Loader(Store(root), CPU, 1, precision=choice)


@pytest.mark.parametrize(
    ("choice", "answers"), [("float32", "float32"), ("int8", "int8"), ("auto", "int8")]
)
def test_the_graph_of_the_setting_answers_and_brings_its_gallery(
    tmp_path: Path, choice: PrecisionChoice, answers: Precision
) -> None:
    bundle = publish_in_two(tmp_path)
    model = loaded(tmp_path, choice).load("arcface", 1)
    assert model.session.precision == answers
    images = bundle.golden().images
    expected = {"float32": bundle.model_path, "int8": bundle.path / "model.int8.onnx"}
    both = {name: run(path, images)[0] for name, path in expected.items()}
    assert np.abs(both["int8"] - both["float32"]).max() > 1e-4
    np.testing.assert_allclose(model.session.run(images).embedding, both[answers], atol=1e-6)
    own = bundle.gallery(answers).embeddings
    assert np.array_equal(model.gallery.embeddings, own)
    assert not np.array_equal(bundle.gallery("int8").embeddings, bundle.gallery().embeddings)


@pytest.mark.parametrize("choice", ["float32", "int8", "auto"])
def test_a_model_in_float32_alone_answers_in_it(tmp_path: Path, choice: PrecisionChoice) -> None:
    publish(tmp_path)
    assert loaded(tmp_path, choice).load("arcface", 1).session.precision == "float32"


def test_auto_answers_in_float32_where_int8_fails_its_golden_batch(tmp_path: Path) -> None:
    publish_in_two(tmp_path, golden_is_off_by=0.02)
    assert loaded(tmp_path, "auto").load("arcface", 1).session.precision == "float32"
    with pytest.raises(BundleDamaged, match=r"in int8; serve float32: --precision float32"):
        loaded(tmp_path, "int8").load("arcface", 1)


def test_int8_has_a_tolerance_of_its_own(tmp_path: Path) -> None:
    publish_in_two(tmp_path, golden_is_off_by=0.005)
    assert loaded(tmp_path, "int8").load("arcface", 1).session.precision == "int8"


def test_a_missing_int8_file_is_damage_whatever_answers(tmp_path: Path) -> None:
    bundle = publish_in_two(tmp_path)
    (bundle.path / "model.int8.onnx").unlink()
    with pytest.raises(BundleDamaged, match=r"model\.int8\.onnx is missing"):
        loaded(tmp_path, "float32").load("arcface", 1)


def test_a_processor_without_the_instructions_turns_auto_into_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chosen_by, "multiplies_int8", lambda: False)
    assert [precision_here(each) for each in ("auto", "int8")] == ["float32", "int8"]
    monkeypatch.setattr(chosen_by, "multiplies_int8", lambda: True)
    assert precision_here("auto") == "auto"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("flags : fpu avx2 avx512_vnni avx512_bf16", True),
        ("flags : fpu avx2 avx_vnni", True),
        ("Features : fp asimd asimddp", True),
        ("flags : fpu avx2 avx512f", False),
        ("flags : fpu not_avx512_vnni_2", False),
    ],
)
def test_the_processors_description_says_whether_it_multiplies_int8(
    tmp_path: Path, said: str, found: bool
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(f"processor : 0\n{said}\n")
    assert multiplies_int8(tmp_path) is found
    assert multiplies_int8(tmp_path / "elsewhere") is False


def test_the_time_of_both_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = publish_in_two(tmp_path)
    times = {"float32": 1.0, "int8": 0.89}
    monkeypatch.setattr(chosen_by, "_shortest_s", lambda _, precision: times[precision])
    assert is_faster([bundle])
    times["int8"] = 0.91
    assert not is_faster([bundle])
