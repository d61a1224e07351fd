"""The version is stated once and shown everywhere; licenses name what the repository holds."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest
import yaml

from models.version import VERSION

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    return listed.stdout.decode().splitlines()


def test_the_project_and_the_citation_state_the_same_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert PROJECT["version"] == cited["version"] == VERSION
    assert PROJECT["license"] == cited["license"] == "Apache-2.0"


def test_no_other_file_of_ours_states_it() -> None:
    quoted = re.compile(rf'"{re.escape(VERSION)}"')
    ours = [
        name for name in tracked() if re.match(r"(models|service|training|reports)/.*\.py", name)
    ]
    stating = [name for name in ours if quoted.search((ROOT / name).read_text())]
    assert stating == ["models/version.py"]


@pytest.mark.parametrize("package", ["service", "training", "models"])
def test_commands_say_it(package: str) -> None:
    command = [sys.executable, "-m", package, "--version"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"LossAtlas {VERSION}"


def test_the_service_says_it(client: httpx.Client) -> None:
    assert client.get("/openapi.json").json()["info"]["version"] == VERSION


def test_the_image_is_labeled_with_it_and_holds_the_licenses() -> None:
    recipe = (ROOT / "Dockerfile").read_text()
    assert f"ARG VERSION={VERSION}\n" in recipe
    for label in ("title", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in recipe
    copied = re.search(r"^COPY (LICENSE .*) /app/$", recipe, re.M)
    assert copied
    assert copied[1].split() == PROJECT["license-files"]
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in PROJECT["license-files"]} <= set(kept)


def test_the_license_is_apache_2_and_its_files_are_there() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert all((ROOT / name).is_file() for name in PROJECT["license-files"])


def test_every_vendored_file_is_in_the_notices() -> None:
    """Fonts, minified scripts and pictures in the repository come from others."""
    notices = (ROOT / "THIRD_PARTY.md").read_text()
    foreign = re.compile(r"\.(min\.js|min\.css|woff2?|ttf|otf|png|jpe?g|gif|webp|avif|heic)$")
    for name in tracked():
        if foreign.search(name) and not name.startswith("docs/"):
            folders = [parent.as_posix() for parent in (Path(name), *Path(name).parents)]
            assert any(f"`{folder}`" in notices for folder in folders), name
