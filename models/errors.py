"""The errors of images and published models. Facts only: no HTTP, no exit codes."""


class ModelsError(Exception):
    """Base of every error that this package raises."""


class UndecodableImage(ModelsError):
    """The bytes are not a complete image in an accepted format."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a decodable image: {reason}")
        self.reason = reason


class ImageTooLarge(ModelsError):
    """The image has more pixels than the limit; known from its header, before decoding."""

    def __init__(self, pixels: int, limit: int) -> None:
        super().__init__(f"the image has {pixels:,} pixels; the limit is {limit:,}")
        self.pixels = pixels
        self.limit = limit


class BundleNotFound(ModelsError):
    """No such model, or no such version of it, is published."""

    def __init__(self, name: str, version: int | None, available: tuple[str, ...]) -> None:
        wanted = name if version is None else f"{name}/{version}"
        names = ", ".join(available) or "none"
        super().__init__(f"no published model {wanted!r}; available: {names}")
        self.name = name
        self.version = version
        self.available = available


class BundleDamaged(ModelsError):
    """A published model's files are missing, altered or not what its manifest says."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"bundle {name}/{version} is damaged: {reason}")
        self.name = name
        self.version = version
        self.reason = reason


class ComparisonDamaged(ModelsError):
    """The published comparison of the losses is not what its schema says."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the comparison is damaged: {reason}")
        self.reason = reason


class AliasesDamaged(ModelsError):
    """The registry's file of aliases is not what its schema says."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file} is damaged: {reason}")
        self.file = file
        self.reason = reason


class NothingToRollBack(ModelsError):
    """No version of the model was current before."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no version of {name} was current before; promote one instead")
        self.name = name
