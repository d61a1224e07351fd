"""The commands of docs/collections.md, run as they stand there, one after the other."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.cli import COMMANDS
from tests.contract.test_service_start import ROOT, environment

pytestmark = pytest.mark.docs

DOCS = (ROOT / "docs" / "collections.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", DOCS, re.DOTALL)
COMMAND_LINES = [text for block in BLOCKS for text in re.split(r"^\$ ", block, flags=re.M)[1:]]
EXAMPLES = [text.split("\n", 1) for text in COMMAND_LINES]
# What differs from one run to the next.
VARYING = re.compile(
    r"[\d,]+ items/s|20[\d-]+T[\d:.+]+|[\d.]+ [kM]B|[\d,]+ bytes|\b[0-9a-f]{64}\b|─+|\s+"
)


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which the commands of docs/collections.md run one after the other."""
    folder = tmp_path_factory.mktemp("documented")
    python = str(Path(sys.executable).parent)
    places = {"TMP": str(folder), "PATH": f"{python}{os.pathsep}{os.environ['PATH']}"}
    return environment(LOSSATLAS_DATA_DIR=str(folder / "var"), LOSSATLAS_DEVICE="cpu", **places)


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs GNU's tools")
@pytest.mark.parametrize(("line", "output"), EXAMPLES, ids=[line[:60] for line, _ in EXAMPLES])
def test_a_documented_command_says_what_is_shown(
    documented: dict[str, str], line: str, output: str
) -> None:
    if "parquet" in line:
        pytest.importorskip("pyarrow")
    line = line.replace("$TMP", documented["TMP"])
    shell = ["bash", "-euo", "pipefail", "-c", line]
    done = subprocess.run(
        shell, cwd=ROOT, env=documented, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    output = output.replace("$TMP", documented["TMP"])
    assert VARYING.sub("#", done.stdout.strip()) == VARYING.sub("#", output.strip())


def test_every_command_is_documented() -> None:
    for name in COMMANDS:
        assert f"$ python -m service {name}" in DOCS
