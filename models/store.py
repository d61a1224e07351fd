"""The registry of published models on disk: publish atomically, list, resolve, verify."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from models.atomic import fsync, new_folder
from models.bundle import (
    GOLDEN,
    MANIFEST,
    MODEL,
    REPORT,
    THUMBNAILS,
    Bundle,
)
from models.comparison import DEFAULT, ComparisonReport
from models.comparison_store import comparison_figures, read_comparison, write_comparison
from models.errors import BundleDamaged, BundleNotFound
from models.files import sha256_of
from models.manifest import FileRecord, Manifest, Sha256, is_name
from models.report import Report
from models.test_images import TestImages, write_test_images

_REQUIRED = (MODEL, REPORT, GOLDEN)
COMPARISON = "comparison"
COMPARISONS = "comparisons"
_RESERVED = (THUMBNAILS, COMPARISON, COMPARISONS)  # folders beside the models, no model's name
_VERSION = re.compile(r"[1-9][0-9]*")


class Store:
    """Published models under one root: `<name>/<version>/`, as Triton lays them out.

    >>> store = Store(Path("models/registry"))
    >>> "softmax" in store.names()
    True
    >>> bundle = store.load("softmax", version=1)  # every file verified by its sha256
    >>> bundle.manifest.name, bundle.manifest.version, bundle.manifest.metric
    ('softmax', 1, 'cosine')
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> tuple[str, ...]:
        """Every model that has at least one published version, sorted."""
        if not self.root.is_dir():
            return ()
        folders = sorted(path.name for path in self.root.iterdir() if path.is_dir())
        return tuple(name for name in folders if self.versions(name))

    def versions(self, name: str) -> tuple[int, ...]:
        """Published versions of one model, oldest first; empty where there is none."""
        folder = self.root / name
        if not _can_name_a_model(name) or not folder.is_dir():
            return ()
        found = (path.name for path in folder.iterdir() if path.is_dir())
        return tuple(sorted(int(version) for version in found if _VERSION.fullmatch(version)))

    def load(
        self, name: str, version: int | None = None, manifest_sha256: Sha256 | None = None
    ) -> Bundle:
        """Open a version (the newest by default) and verify every file's sha256.

        With `manifest_sha256`, it has to be the bundle of that manifest. Raises BundleNotFound, or
        BundleDamaged with the first thing that is wrong.
        """
        number, path = self._find(name, version)
        manifest = _read_manifest(path, name, number, manifest_sha256)
        if missing := _missing(manifest):
            raise BundleDamaged(name, number, f"its manifest does not list {missing}")
        for relative, record in manifest.files.items():
            if (fault := _fault(path / relative, record)) is not None:
                raise BundleDamaged(name, number, f"{relative} {fault}")
        return Bundle(path, manifest)

    def describe(
        self, name: str, version: int | None = None, manifest_sha256: Sha256 | None = None
    ) -> tuple[Manifest, Report]:
        """Read a version's manifest and report, which are verified, and none of its other files.

        Raises BundleNotFound and BundleDamaged.
        """
        number, path = self._find(name, version)
        manifest = _read_manifest(path, name, number, manifest_sha256)
        record = manifest.files.get(REPORT)
        if record is None or (fault := _fault(path / REPORT, record)) is not None:
            raise BundleDamaged(name, number, f"{REPORT} {fault if record else 'is missing'}")
        return manifest, Bundle(path, manifest).report

    def _find(self, name: str, version: int | None) -> tuple[int, Path]:
        versions = self.versions(name)
        if not versions or (version is not None and version not in versions):
            raise BundleNotFound(name, version, self.names())
        number = versions[-1] if version is None else version
        return number, self.root / name / str(number)

    def publish(self, name: str, fill: Callable[[Path, int], Manifest]) -> Bundle:
        """Publish the next version: all of it or nothing.

        `fill(folder, version)` writes every file except the manifest into an empty folder and
        returns the manifest with `files` empty; it is completed here, everything is fsynced, and
        one rename makes it visible. Raises ValueError where the name cannot be had or the bundle is
        not whole, and OSError where somebody else published this version meanwhile.
        """
        if not _can_name_a_model(name):
            raise ValueError(f"{name!r} cannot name a model")
        home = self.root / name
        home.mkdir(parents=True, exist_ok=True)
        version = max(self.versions(name), default=0) + 1
        with new_folder(home / str(version)) as staging:  # fails where that folder exists
            _write_manifest(_completed(fill(staging, version), name, version, staging), staging)
        fsync(self.root)
        return self.load(name, version)

    def replace(
        self,
        name: str,
        version: int,
        fill: Callable[[Path], Manifest],
        check: Callable[[Bundle, Path], None] | None = None,
    ) -> Bundle:
        """Put a changed copy of a version in its place, all of it or nothing.

        `fill(folder)` changes the copy's files and returns its manifest, whose `files` are
        completed here. The version is absent between two renames. `check(old, folder)` raises
        ValueError for a model that cannot take the old one's place; by default any other.
        Raises BundleNotFound, BundleDamaged, and ValueError for another model or a bad bundle.
        """
        old = self.load(name, version)
        with new_folder(old.path, replace=True) as staging:
            shutil.copytree(old.path, staging, dirs_exist_ok=True)
            (staging / MANIFEST).unlink()
            manifest = _completed(fill(staging), name, version, staging)
            if manifest.files[MODEL] != old.manifest.files[MODEL]:
                (check or _refuse)(old, staging)
            _write_manifest(manifest, staging)
        return self.load(name, version)

    def put_thumbnails(self, jpegs: list[bytes]) -> str:
        """Store thumbnails under their content's sha256, once; returns it."""
        offsets = np.cumsum([0, *map(len, jpegs)], dtype=np.int64)
        data = np.frombuffer(b"".join(jpegs), dtype=np.uint8)

        def write(path: Path) -> None:
            with path.open("wb") as file:
                np.savez(file, data=data, offsets=offsets)

        return self._put_shared(write)

    def put_test_images(self, images: TestImages) -> Sha256:
        """Store test images under their content's sha256, once; returns it."""
        return self._put_shared(lambda path: write_test_images(path, images))

    def _put_shared(self, write: Callable[[Path], None]) -> Sha256:
        folder = self.root / THUMBNAILS
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".publishing-", dir=folder)
        os.close(descriptor)
        temporary = Path(name)
        try:
            write(temporary)
            temporary.chmod(0o644)
            fsync(temporary)
            digest = sha256_of(temporary)
            temporary.replace(folder / f"{digest}.npz")
            fsync(folder)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return digest

    def comparison(self, name: str = DEFAULT) -> ComparisonReport | None:
        """Read the comparison of that name, or None. Raises ComparisonDamaged."""
        return read_comparison(self._comparison_folder(name), name)

    def comparison_names(self) -> tuple[str, ...]:
        """Every published comparison: the default one first, then sorted; damaged ones, too."""
        home = self.root / COMPARISONS
        named = sorted(path.name for path in home.iterdir()) if home.is_dir() else []
        found = [name for name in named if name != DEFAULT and is_name(name)]
        names = (DEFAULT, *found)
        return tuple(name for name in names if self._comparison_folder(name).is_dir())

    def comparison_figures(self, name: str = DEFAULT) -> dict[str, Path]:
        """The comparison's SVG files, by name, sorted."""
        return comparison_figures(self._comparison_folder(name))

    def put_comparison(self, report: ComparisonReport, figures: Path) -> None:
        """Publish a comparison with every SVG of the folder `figures`, all of it or nothing.

        It takes the place of an older one of its name, beside those of other names. Raises
        ValueError where the report is not what the schema says or a figure cannot have its name.
        """
        write_comparison(self._comparison_folder(report.name), report, figures)

    def _comparison_folder(self, name: str) -> Path:
        return self.root / COMPARISON if name == DEFAULT else self.root / COMPARISONS / name


def _refuse(old: Bundle, _folder: Path) -> None:
    about = old.manifest
    raise ValueError(f"{about.name}/{about.version} got another {MODEL}; publish a new version")


def _can_name_a_model(name: str) -> bool:
    return is_name(name) and name not in _RESERVED


def _read_manifest(path: Path, name: str, version: int, sha256: Sha256 | None) -> Manifest:
    try:
        content = (path / MANIFEST).read_bytes()
        manifest = Manifest.model_validate_json(content)
    except (OSError, ValidationError) as error:
        raise BundleDamaged(name, version, f"{MANIFEST}: {error}") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        reason = f"{MANIFEST} is not the one of sha256 {sha256}; publish changes as a new version"
        raise BundleDamaged(name, version, reason)
    if (manifest.name, manifest.version) != (name, version):
        reason = f"its manifest says {manifest.name}/{manifest.version}"
        raise BundleDamaged(name, version, reason)
    return manifest


def _fault(path: Path, record: FileRecord) -> str | None:
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != record.size_bytes or sha256_of(path) != record.sha256:
        return "is not what the manifest's sha256 says"
    return None


def _completed(manifest: Manifest, name: str, version: int, folder: Path) -> Manifest:
    if (manifest.name, manifest.version) != (name, version):
        raise ValueError(f"{name}/{version} got a manifest of {manifest.name}/{manifest.version}")
    # built anew, for model_copy would validate nothing
    whole = Manifest.model_validate({**dict(manifest), "files": _records(folder)})
    if missing := _missing(whole):
        raise ValueError(f"{name}/{version} lacks {missing}")
    return whole


def _missing(manifest: Manifest) -> str:
    named = [
        file for one in manifest.variants for file in (one.file, one.golden, one.gallery) if file
    ]
    return ", ".join(file for file in (*_REQUIRED, *named) if file not in manifest.files)


def _write_manifest(manifest: Manifest, folder: Path) -> None:
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")


def _records(folder: Path) -> dict[str, FileRecord]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): FileRecord(
            sha256=sha256_of(path), size_bytes=path.stat().st_size
        )
        for path in files
    }
