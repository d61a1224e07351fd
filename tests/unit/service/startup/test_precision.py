"""The choice of `auto`, made once for all processes of a service."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from models.bundle import MODEL, Bundle
from service.collections import Library
from service.collections.data_folder import COLLECTIONS
from service.inference import precision as chosen_by
from service.settings import Settings
from service.startup import precision as startup
from service.startup.precision import settle_precision
from service.vectors import ExactIndex
from tests.support.bundles import publish
from tests.support.precisions import publish_in_two
from tests.support.small_collections import spec_of


@pytest.fixture(autouse=True)
def processor_with_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "multiplies_int8", lambda: True)


@contextmanager
def in_this_process(monkeypatch: pytest.MonkeyPatch, *, faster: bool) -> Iterator[None]:
    """Make the check of a process of its own here, with a time that is sure."""
    monkeypatch.setattr(chosen_by, "is_faster", lambda _: faster)
    with monkeypatch.context() as patched:
        patched.setattr(
            startup,
            "_why_float32",
            lambda settings, names: startup._look(settings.registry, settings.data_dir, names),
        )
        yield


def settings(tmp_path: Path, **fields: object) -> Settings:
    given = {"registry": tmp_path / "registry", "data_dir": tmp_path / "data"} | fields
    return Settings(**given)  # type: ignore[arg-type]


def collection_of(bundle: Bundle, tmp_path: Path, **fields: object) -> None:
    library = Library(
        tmp_path / "data" / COLLECTIONS,
        lambda spec, *_: (ExactIndex(spec.dimension, spec.metric), 0),
        maintain_every_s=None,
    )
    spec = replace(spec_of("pets"), model_sha256=bundle.manifest.files[MODEL].sha256)
    library.create(replace(spec, **fields))  # type: ignore[arg-type]
    library.close()


@pytest.mark.parametrize("asked", ["float32", "int8"])
def test_what_is_asked_for_is_taken(tmp_path: Path, asked: str) -> None:
    publish_in_two(tmp_path / "registry")
    assert settle_precision(settings(tmp_path, precision=asked)) == asked


def test_nothing_is_timed_where_there_is_no_int8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path / "registry")
    monkeypatch.setattr(startup, "_why_float32", lambda *_: pytest.fail("was looked at"))
    assert settle_precision(settings(tmp_path)) == "auto"


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_gpu_answers_in_float32(tmp_path: Path, device: str) -> None:
    publish_in_two(tmp_path / "registry")
    assert settle_precision(settings(tmp_path, device=device)) == "float32"


def test_a_processor_without_the_instructions_answers_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_in_two(tmp_path / "registry")
    monkeypatch.setattr(startup, "multiplies_int8", lambda: False)
    assert settle_precision(settings(tmp_path)) == "float32"


@pytest.mark.parametrize(("faster", "settled"), [(True, "auto"), (False, "float32")])
def test_the_timing_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faster: bool, settled: str
) -> None:
    publish_in_two(tmp_path / "registry")
    with in_this_process(monkeypatch, faster=faster):
        assert settle_precision(settings(tmp_path)) == settled


@pytest.mark.parametrize(
    ("may_mix", "made_in", "settled"),
    [(False, "float32", "float32"), (False, "int8", "auto"), (True, "float32", "auto")],
)
def test_a_collection_that_int8_would_search_wrongly_keeps_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_mix: bool, made_in: str, settled: str
) -> None:
    bundle = publish_in_two(tmp_path / "registry", may_mix=may_mix)
    collection_of(bundle, tmp_path, precision=made_in)
    with in_this_process(monkeypatch, faster=True):
        assert settle_precision(settings(tmp_path)) == settled


def test_it_is_found_out_in_a_process_of_its_own(tmp_path: Path) -> None:
    bundle = publish_in_two(tmp_path / "registry", may_mix=False)
    collection_of(bundle, tmp_path)
    assert settle_precision(settings(tmp_path)) == "float32"
    reason = startup._why_float32(settings(tmp_path), {"arcface": 1})
    assert reason is not None
    assert "pets" in reason


def test_a_damaged_model_leaves_float32(tmp_path: Path) -> None:
    bundle = publish_in_two(tmp_path / "registry")
    (bundle.path / "model.int8.onnx").write_bytes(b"")
    assert settle_precision(settings(tmp_path)) == "float32"
