"""Errors that keep a command from doing its work; the message says what to fix."""

from pathlib import Path

from service.errors import StartError


class ParquetUnavailable(StartError):
    """A Parquet file is given, and the package that reads it is not installed."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Parquet needs the extra 'parquet', which is not installed ({reason}); install it "
            "with 'uv pip install --extra parquet -r pyproject.toml'"
        )


class UnusableFile(StartError):
    """A file is not what the command takes."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used: {reason}")
        self.path = path


class CannotReembed(StartError):
    """Some items of the collection cannot be embedded anew."""
