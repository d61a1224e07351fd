"""A fixed sample of 40 mutations: how many of them do the tests of `make test` notice?

Run `python -m tests.tools.mutations` in a clean checkout; `--list` only checks that each mutation
still has its place. Each is tried alone, with the tests named beside it, and undone.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 600


@dataclass(frozen=True)
class Mutation:
    """One replaced text, and the tests that must fail with it."""

    file: str
    old: str
    new: str
    tests: list[str]

    def has_its_place(self) -> bool:
        """Return whether the text and the tests are there."""
        named = (ROOT / self.file, *(ROOT / test for test in self.tests))
        return all(path.exists() for path in named) and self.old in named[0].read_text()


SAMPLE = tuple(
    Mutation(**each) for each in json.loads(Path(__file__).with_suffix(".json").read_text())
)


def is_noticed(mutation: Mutation) -> bool:
    """Return whether a test fails while the mutation is in place."""
    path = ROOT / mutation.file
    text = path.read_text(encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        path.write_text(text.replace(mutation.old, mutation.new, 1), encoding="utf-8")
        done = subprocess.run(
            [*command, "-m", "not later", *mutation.tests],
            cwd=ROOT,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(text, encoding="utf-8")
    return done.returncode == 1


def main() -> int:
    """Try each mutation, or with `--list` only look for its place."""
    gone = [one for one in SAMPLE if not one.has_its_place()]
    for one in gone:
        print(f"no such place: {one.file}: {one.old.strip()}")
    if "--list" in sys.argv or gone:
        return len(gone)
    noticed = 0
    for one in SAMPLE:
        found = is_noticed(one)
        noticed += found
        print("noticed" if found else "SURVIVED", one.file, one.old.strip(), flush=True)
    print(f"{noticed} of {len(SAMPLE)} mutations were noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
