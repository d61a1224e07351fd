from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from models.evidence.confidence import Calibration
from models.manifest import FileRecord, Frozen, Manifest, Preprocess, is_name
from models.report import Report
from tests.support.bundles import Recipe, manifest, report

RECORD = FileRecord(sha256="0" * 64, size_bytes=3)
GOOD = manifest("arcface", 1, Recipe())


def changed(**fields: Any) -> Manifest:
    return Manifest.model_validate({**dict(GOOD), **fields})


def test_a_manifest_survives_json() -> None:
    whole = changed(files={"model.onnx": RECORD, "figures/confusion-matrix.svg": RECORD})
    assert Manifest.model_validate_json(whole.model_dump_json()) == whole


def test_a_report_survives_json() -> None:
    assert Report.model_validate_json(report("arcface").model_dump_json()) == report("arcface")


def _values() -> list[type[BaseModel]]:
    found, left = [], [Frozen]
    while left:
        subclasses = [sub for sub in left.pop().__subclasses__() if sub.__module__[:7] == "models."]
        found += subclasses
        left += subclasses
    return sorted(found, key=lambda value: value.__name__)


@pytest.mark.parametrize("value", _values(), ids=lambda value: value.__name__)
def test_every_value_is_frozen_and_refuses_unknown_fields_and_nan(value: type[BaseModel]) -> None:
    assert value.model_config.get("frozen") is True
    assert value.model_config.get("extra") == "forbid"
    assert value.model_config.get("allow_inf_nan") is False


def test_a_field_cannot_be_set() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        GOOD.version = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "fields",
    [
        {"unknown": 1},
        {"schema_version": 2},
        {"name": ""},
        {"name": "Arc Face"},
        {"name": "../arcface"},
        {"name": "a" * 65},
        {"version": 0},
        {"metric": "dot"},
        {"dimension": 0},
        {"labels": ("cat",)},
        {"preprocess": {"size_px": 0}},
        {"preprocess": {"size_px": 8, "crop": "random"}},
        {"temperature": 0},
        {"temperature": float("inf")},
        {"temperature": float("nan")},
        {"parameters": 0},
        {"created": "yesterday"},
        {"gallery_size": -1},
        {"thumbnails": "../" + "0" * 61},
        {"files": {"model.onnx": {"sha256": "0" * 63, "size_bytes": 3}}},
        {"files": {"model.onnx": {"sha256": "0" * 64, "size_bytes": -3}}},
    ],
    ids=repr,
)
def test_a_manifest_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        changed(**fields)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "../../x",
        "a/../../x",
        "a//b",
        "./a",
        ".a",
        "a/",
        "a\\..\\b",
        "a\n",
    ],
)
def test_a_file_lies_inside_its_bundle(path: str) -> None:
    with pytest.raises(ValidationError, match="files"):
        changed(files={path: RECORD})


@pytest.mark.parametrize("text", ["softmax", "arcface", "my-loss_2", "0"])
def test_a_name(text: str) -> None:
    assert is_name(text)
    assert changed(name=text).name == text


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a\n", "A", "é", "-a", "a" * 65, "a\0"])
def test_no_name(text: str) -> None:
    assert not is_name(text)
    with pytest.raises(ValidationError):
        changed(name=text)


def test_numbers_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(ValidationError, match="nll_after"):
        Calibration(temperature=1, nll_before=1, nll_after=float("nan"), n=1)


def test_preprocess_is_the_one_that_we_have() -> None:
    assert Preprocess(size_px=32).model_dump() == {
        "size_px": 32,
        "resize": "shorter-side-bilinear-antialias",
        "crop": "center",
        "half_scale": True,  # of manifests that say nothing, as version 1's
    }
    assert GOOD.created == datetime(2026, 1, 2, tzinfo=UTC)
