"""The JSON Schemas of what a bundle says, for readers that are not Python."""

import json
from pathlib import Path

from models.comparison import ComparisonReport
from models.manifest import Frozen, Manifest
from models.report import Report

_MODELS: dict[str, type[Frozen]] = {
    "manifest.schema.json": Manifest,
    "report.schema.json": Report,
    "comparison.schema.json": ComparisonReport,
}


def write_schemas(folder: Path) -> list[Path]:
    """Write each schema into `folder`; returns the files."""
    files = [folder / name for name in _MODELS]
    for file in files:
        file.write_text(_schema(_MODELS[file.name]))
    return files


def _schema(model: type[Frozen]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
    }
    return json.dumps(schema, indent=2) + "\n"
