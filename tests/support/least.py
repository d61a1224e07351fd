"""The least that the registry takes for a bundle."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.bundle import GOLDEN, MANIFEST, MODEL, REPORT
from models.manifest import Manifest
from tests.support.bundles import Recipe, manifest, report

TINY = Recipe(gallery=3)


def fill(name: str = "arcface") -> Callable[[Path, int], Manifest]:
    """Write the least that a bundle needs; the store does not look into the files."""

    def write(folder: Path, version: int) -> Manifest:
        for file in (MODEL, GOLDEN):
            (folder / file).write_bytes(f"{file} of version {version}".encode())
        (folder / REPORT).write_text(report(name).model_dump_json())
        return manifest(name, version, TINY)

    return write


def everything_in(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def rewrite_manifest(bundle: Path, **fields: Any) -> None:
    path = bundle / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
