"""The JSON Schemas in models/ are those of the code, and they say what the code says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ("comparison.schema.json", "manifest.schema.json", "report.schema.json")


def test_the_committed_schemas_are_what_the_code_generates(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "models", "schema", "--into", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
    for name in NAMES:
        generated, committed = (tmp_path / name).read_text(), (ROOT / "models" / name).read_text()
        assert generated == committed, f"{name} is stale: run `python -m models schema`"


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_the_contract_refuses_strangers(name: str) -> None:
    schema = json.loads((ROOT / "models" / name).read_text())
    every = [schema, *schema["$defs"].values()]
    objects = [each for each in every if "properties" in each or each.get("type") == "object"]
    assert all(each["additionalProperties"] is False for each in objects)
