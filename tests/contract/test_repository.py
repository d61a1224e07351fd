"""The files of every clone: no addresses of one network, no paths of one machine, whole locks."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

# Each is written so that this file does not find itself.
FORBIDDEN = {
    "a package index": rb"pypi[.]org|files[.]python"
    + rb"hosted|index-"
    + rb"url[= ]+(?!milvus)\w+:",
    "a folder of one machine": rb"(?<![\w.$}])/(work|root|home|Users)" + rb"/\w",
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE" + rb" KEY",
}


@cache
def tracked() -> tuple[Path, ...]:
    """Files that git tracks; where there is no git there is nothing to say."""
    try:
        listing = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"git does not list the files here: {error}")
    return tuple(ROOT / name for name in listing.split("\0") if name)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_tracked_file_has_it(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    found = [path for path in tracked() if path.is_file() and pattern.search(path.read_bytes())]
    assert [path.relative_to(ROOT).as_posix() for path in found] == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a package index", b"https://pypi" + b".org/simple"),
        ("a package index", b"pip install --extra-index" + b"-url=file:///x"),
        ("a folder of one machine", b'data = "/' + b'work/main"'),
        ("a folder of one machine", b"cd /ho" + b"me/me"),
        ("a private key", b"-----BEGIN RSA PRIVATE" + b" KEY-----"),
    ],
)
def test_it_would_be_found(what: str, text: bytes) -> None:
    assert re.search(FORBIDDEN[what], text)


def test_uvs_own_lock_is_not_tracked() -> None:
    assert [path for path in tracked() if path.name == "uv" + ".lock"] == []


def pins(lock: str) -> dict[str, set[str]]:
    """Versions by package; a lock for all platforms may hold more than one."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line):
            found.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return found


LOCKS = [
    "dev",
    "training",
    "service",
    "service-cuda",
    "service-distributed",
    "service-heic",
    "benchmarks",
    "uv",
]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_exact_and_hashed(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==[^ ;]+( ;[^\\]*)? \\\n", entry), entry
        assert "--hash=sha256:" in entry


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_BASE: list[str] = PROJECT["project"]["dependencies"]
_EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
REQUIRED = {
    "service": _BASE,
    "service-cuda": [*_BASE, *_EXTRAS["cuda"]],
    "service-distributed": [*_BASE, *_EXTRAS["distributed"]],
    "service-heic": [*_BASE, *_EXTRAS["heic"]],
    "training": [*_BASE, *_EXTRAS["training"]],
    "dev": [
        *_BASE,
        *_EXTRAS["training"],
        *_EXTRAS["heic"],
        *PROJECT["dependency-groups"]["dev"],
    ],
    "benchmarks": [*_BASE, *PROJECT["dependency-groups"]["benchmarks"]],
}


@pytest.mark.parametrize("lock", REQUIRED)
def test_a_lock_holds_what_pyproject_asks_for(lock: str) -> None:
    pinned = pins(lock)
    for requirement in map(Requirement, REQUIRED[lock]):
        versions = pinned.get(canonicalize_name(requirement.name), set())
        assert any(requirement.specifier.contains(version) for version in versions), (
            f"{requirement} is not in requirements/{lock}.txt: run `make lock`"
        )


@pytest.mark.parametrize("narrow", ["service", "service-distributed", "service-heic", "training"])
def test_a_package_has_one_version_wherever_it_is_installed(narrow: str) -> None:
    wide = pins("dev")
    assert {name: wide.get(name) for name in pins(narrow)} == pins(narrow)


@pytest.mark.parametrize("lock", ["service", "service-cuda", "service-distributed", "service-heic"])
def test_the_service_is_locked_without_the_training_stack(lock: str) -> None:
    assert not {"torch", "torchvision", "onnx", "scikit-learn", "matplotlib"} & set(pins(lock))
