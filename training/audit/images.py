"""The images of a folder as an audit needs them: nothing is refused for being broken."""

from dataclasses import dataclass
from pathlib import Path

import torch

from models.manifest import Preprocess
from training.audit.findings import Part
from training.data.dataset import LabeledImages
from training.data.folder import contents_of, digest_of
from training.data.listing import Files, list_folder
from training.data.pixels import cache_key, decode_files
from training.errors import InvalidDataset


@dataclass(frozen=True)
class Broken:
    """A file that is no complete image."""

    id: str
    part: Part
    label: int
    reason: str


@dataclass(frozen=True)
class AuditedPart:
    """The readable images of train or test."""

    name: Part
    images: LabeledImages
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class AuditedFolder:
    """A folder of images, listed as training lists it, with what cannot be read beside."""

    class_names: tuple[str, ...]
    train: AuditedPart
    test: AuditedPart
    broken: tuple[Broken, ...]
    sha256: str

    @property
    def parts(self) -> tuple[AuditedPart, AuditedPart]:
        """Both parts, training first."""
        return self.train, self.test

    @property
    def both(self) -> LabeledImages:
        """All readable images, training first."""
        parts = [part.images for part in self.parts]
        return LabeledImages(
            torch.cat([part.images for part in parts]),
            torch.cat([part.labels for part in parts]),
            tuple(name for part in parts for name in part.ids),
        )


def load_to_audit(root: Path, spec: Preprocess, cache: Path) -> AuditedFolder:
    """Decode `root` at the model's input size.

    Raises InvalidDataset where the folder is not laid out as expected, or no image can be read.
    """
    listing = list_folder(root)
    files = {"train": listing.train, "test": listing.test}
    contents = [contents_of(part.paths) for part in files.values()]
    digest = digest_of(listing, contents)
    stem = cache / cache_key(digest, spec)
    train, lost = _part("train", listing.train, stem, spec)
    test, lost_too = _part("test", listing.test, stem, spec)
    if not train.paths and not test.paths:
        raise InvalidDataset(f"no image under {root} can be read; the first: {lost[0].reason}")
    return AuditedFolder(listing.class_names, train, test, (*lost, *lost_too), digest)


def _part(
    name: Part, files: Files, stem: Path, spec: Preprocess
) -> tuple[AuditedPart, tuple[Broken, ...]]:
    decoded = decode_files(Path(f"{stem}-{name}"), files.paths, spec, name)
    kept = files.take(tuple(row for row in range(len(files.ids)) if row not in decoded.failed))
    broken = tuple(
        Broken(files.ids[row], name, files.labels[row], reason)
        for row, reason in decoded.failed.items()
    )
    images = LabeledImages(
        torch.from_numpy(decoded.images), torch.tensor(kept.labels, dtype=torch.int64), kept.ids
    )
    return AuditedPart(name, images, kept.paths), broken
