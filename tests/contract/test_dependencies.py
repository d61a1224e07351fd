"""The bill of materials of the service, and known vulnerabilities of what is locked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / ".venv-service" / "bin" / "python"


def test_the_bill_of_materials_has_every_package_of_the_lock(tmp_path: Path) -> None:
    if not SERVICE.is_file():
        pytest.skip("no .venv-service: make environments")
    file = tmp_path / "service.cdx.json"
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject=pyproject.toml"]
    command += [f"--output-file={file}", str(SERVICE)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    made = json.loads(file.read_text())
    assert made["bomFormat"] == "CycloneDX"
    listed = {one["name"].lower().replace("_", "-"): one for one in made["components"]}
    for name in ("fastapi", "numpy", "pillow", "faiss-cpu"):
        assert listed[name]["version"]
        assert listed[name]["licenses"]


def outcome(found: dict[str, Any]) -> tuple[list[str], list[str], int]:
    """The known vulnerabilities, the packages that could not be looked up, and how many were."""
    known, skipped = found["dependencies"], []
    faults = []
    for one in known:
        if "skip_reason" in one:
            skipped.append(one["name"])
        faults += [f"{one['name']} {one['version']}: {v['id']}" for v in one.get("vulns", ())]
    return faults, skipped, len(known)


@pytest.mark.vulnerabilities
@pytest.mark.parametrize("lock", ["service", "training"])
def test_no_locked_package_has_a_known_vulnerability(lock: str) -> None:
    command = [sys.executable, "-m", "pip_audit", "-r", f"requirements/{lock}.txt"]
    command += ["--require-hashes", "--no-deps", "--disable-pip", "--format=json"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if not ended.stdout.startswith("{"):
        pytest.skip(f"NOT CHECKED: the database cannot be reached: {ended.stderr.strip()[-300:]}")
    faults, skipped, n = outcome(json.loads(ended.stdout))
    assert not faults, "\n".join(faults)
    if len(skipped) == n:
        pytest.skip(f"NOT CHECKED: the database knows none of {n} packages, or cannot be reached")
    assert not skipped, f"not in the database: {', '.join(skipped)}"


def test_a_vulnerability_would_be_seen_and_a_package_that_was_not_looked_up() -> None:
    found = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]},
            {"name": "b", "version": "2", "vulns": []},
            {"name": "c", "skip_reason": "not found"},
        ]
    }
    assert outcome(found) == (["a 1: PYSEC-1"], ["c"], 3)
