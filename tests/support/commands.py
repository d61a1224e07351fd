"""`python -m training` in this process: as quick as a function, and as seen by a person."""

import sys
from pathlib import Path

import pytest

from training.__main__ import main


def training_here(*arguments: str | Path) -> int:
    """The exit status of `python -m training` with these arguments."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["training", *map(str, arguments)])
        try:
            return main()
        except SystemExit as refused:  # argparse's
            return int(str(refused.code))
