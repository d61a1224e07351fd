"""The commands of docs/api.md about collections, run as they stand there, one after the other."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serving import ready

ROOT = Path(__file__).parents[2]
API = (ROOT / "docs" / "api.md").read_text()
SECTION = API.split("\n## Collections\n")[1].split("\n## ")[0]
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
BLOCKS = re.findall(r"```console\n(.*?)```", SECTION, re.DOTALL)
COMMANDS = [text for block in BLOCKS for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
EXAMPLES = [text.split("\n", 1) for text in COMMANDS]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ready(ROOT / "models" / "registry") as client:
        yield str(client.base_url).rstrip("/")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands_answer_what_the_page_shows(address: str) -> None:
    """Digits after the point may differ in the last places between processors; nothing else may."""
    assert len(EXAMPLES) > 10
    for command, output in EXAMPLES:
        shell = command.replace("http://127.0.0.1:8000", address)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", shell],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, 23), done.stderr  # 23: `head` closed curl's pipe
        assert NUMBER.sub("#", done.stdout.strip()) == NUMBER.sub("#", output.strip())
        shown, answered = (list(map(float, NUMBER.findall(text))) for text in (output, done.stdout))
        assert answered == pytest.approx(shown, abs=2e-3)
