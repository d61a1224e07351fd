"""Sprite sheets of test images, read from the registry when they are first asked for."""

from dataclasses import dataclass, field
from pathlib import Path

from models.bundle import THUMBNAILS
from models.files import sha256_of
from models.manifest import Sha256
from models.test_images import InvalidTestImages, read_test_images
from service.registry.errors import UnknownSheet

_MOST_KEPT = 4  # data sets
_DIGITS = 64
_HEXADECIMAL = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class SheetShelf:
    """The sheets of one registry. Any worker has all of them, whatever models it has loaded."""

    root: Path
    _kept: dict[Sha256, tuple[bytes, ...]] = field(default_factory=dict)

    def sheet(self, sha256: str, index: int) -> bytes:
        """One JPEG of the test images of that hash. Raises UnknownSheet."""
        if len(sha256) != _DIGITS or not _HEXADECIMAL.issuperset(sha256):
            raise UnknownSheet(sha256, index)
        sheets = self._kept.get(sha256) or self._read(sha256, index)
        if not 0 <= index < len(sheets):
            raise UnknownSheet(sha256, index)
        return sheets[index]

    def _read(self, sha256: Sha256, index: int) -> tuple[bytes, ...]:
        path = self.root / THUMBNAILS / f"{sha256}.npz"
        if not path.is_file() or sha256_of(path) != sha256:
            raise UnknownSheet(sha256, index)
        try:
            sheets = read_test_images(path).sheets
        except InvalidTestImages as error:  # a gallery's thumbnails have the same folder
            raise UnknownSheet(sha256, index) from error
        while len(self._kept) >= _MOST_KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        self._kept[sha256] = sheets
        return sheets
