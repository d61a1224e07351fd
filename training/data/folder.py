"""Read `train/<class>/*` and `test/<class>/*` from a folder, decode once, cache by content."""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track

from models.atomic import replacing
from models.errors import ModelsError
from models.manifest import Preprocess
from models.preprocess import VERSION, preprocess
from training.data.dataset import Dataset, LabelledImages
from training.errors import InvalidDataset

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"})


@dataclass(frozen=True)
class _Files:
    """The image files of one part of the data set, in a fixed order."""

    paths: tuple[Path, ...]
    ids: tuple[str, ...]
    labels: tuple[int, ...]


def load_folder(root: Path, spec: Preprocess, cache: Path) -> Dataset:
    """Load a data set of `root/train/<class>/*` and `root/test/<class>/*`.

    Class folders sort into label order. Decoded pixels are kept in `cache`, under a hash of
    every path and content, of `spec` and of the decoder's version, so that a changed file is never
    served from the cache.
    Raises InvalidDataset, with what to do about it.
    """
    class_names = _class_names(root)
    train, test = (_list_files(root, part, class_names) for part in ("train", "test"))
    digest = _hash((*train.paths, *test.paths), root)
    facts = f"{digest} {VERSION} {spec.model_dump_json()}"
    key = hashlib.sha256(facts.encode()).hexdigest()[:32]
    parts = {
        name: LabelledImages(
            torch.from_numpy(_cached(cache / f"{key}-{name}.npy", files, spec)),
            torch.tensor(files.labels),
            files.ids,
        )
        for name, files in (("train", train), ("test", test))
    }
    edition = ", ".join(sorted({path.suffix.lower().lstrip(".") for path in train.paths}))
    return Dataset(root.resolve().name, edition, digest, class_names, parts["train"], parts["test"])


def _class_names(root: Path) -> tuple[str, ...]:
    train, test = (_folders(root / part) for part in ("train", "test"))
    if len(train) < 2:
        raise InvalidDataset(
            f"{root} has {len(train)} class folders under train/; expected "
            "train/<class>/* and test/<class>/* with at least two classes"
        )
    if train != test:
        odd = ", ".join(sorted(set(train) ^ set(test)))
        raise InvalidDataset(f"train/ and test/ under {root} differ in classes: {odd}")
    return train


def _folders(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise InvalidDataset(f"there is no folder {folder}; expected train/ and test/ in it")
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir()))


def _list_files(root: Path, part: str, class_names: tuple[str, ...]) -> _Files:
    paths: list[Path] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        folder = root / part / name
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
        if not found:
            raise InvalidDataset(f"{folder} has no image ({', '.join(sorted(SUFFIXES))})")
        paths.extend(found)
        labels.extend([label] * len(found))
    ids = tuple(path.relative_to(root).as_posix() for path in paths)
    return _Files(tuple(paths), ids, tuple(labels))


def _hash(paths: Iterable[Path], root: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256(_read(path)).hexdigest()
        digest.update(f"{content} {path.relative_to(root).as_posix()}\n".encode())
    return digest.hexdigest()


def _cached(path: Path, files: _Files, spec: Preprocess) -> np.ndarray:
    if path.is_file():
        cached: np.ndarray = np.load(path)
        return cached
    pixels = np.stack(list(_decode(files, spec, path.stem.rsplit("-", 1)[1])))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, pixels)
    return pixels


def _decode(files: _Files, spec: Preprocess, part: str) -> Iterator[np.ndarray]:
    def one(path: Path) -> np.ndarray:
        try:
            return preprocess(_read(path), spec)
        except ModelsError as error:
            raise InvalidDataset(f"{path}: {error}; repair or remove the file") from error

    with ThreadPoolExecutor() as pool:
        decoded = pool.map(one, files.paths)
        yield from track(decoded, description=f"decoding {part}", total=len(files.paths))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidDataset(f"{path}: {error.strerror}; repair or remove the file") from error
