"""The commands of docs/bulk.md, run as they stand there, one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.docs

DOCS = (ROOT / "docs" / "bulk.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", DOCS, re.DOTALL)
EXAMPLES = [
    text.split("\n", 1) for block in BLOCKS for text in re.split(r"^\$ ", block, flags=re.M)[1:]
]
RATE = re.compile(r"[\d,]+ (items|images)/s")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documented")


@pytest.mark.parametrize(("line", "output"), EXAMPLES)
def test_a_documented_command_says_what_is_shown(folder: Path, line: str, output: str) -> None:
    python = Path(sys.executable).parent
    places = {
        "TMP": str(folder),
        "LOSSATLAS_DATA_DIR": str(folder / "var"),
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euc", line],
        cwd=ROOT,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = output.strip().replace("$TMP", str(folder))
    assert RATE.sub("#", done.stdout.strip()) == RATE.sub("#", shown)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3
