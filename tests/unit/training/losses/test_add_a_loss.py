"""docs/add-a-loss.md, followed to the letter in a copy of the project."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "add-a-loss.md").read_text()
COPIED = (
    "pyproject.toml",
    "models/*.py",
    "models/audit",
    "models/evidence",
    "reports",
    "training",
    "tests/*.py",
    "tests/support/*.py",
    "tests/contract/__init__.py",
    "tests/contract/test_losses.py",
    "tests/unit/__init__.py",
    "tests/unit/training/__init__.py",
    "tests/unit/training/losses",
    "tests/data/cifar10-sample",
)
FILE, REGISTRY, TEST, *_ = re.findall(r"^## \d\. .*`(.*)`$", PAGE, flags=re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the parts of the project that a loss needs, with the page's three edits made."""
    copy = tmp_path_factory.mktemp("project")
    for pattern in COPIED:
        for source in ROOT.glob(pattern):
            target = copy / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
    for path, text in zip((FILE, TEST), blocks("python"), strict=True):
        assert not (copy / path).exists()
        (copy / path).write_text(text)
    registry = copy / REGISTRY
    for edit in blocks("diff"):
        before, added = (line[1:] + "\n" for line in edit.splitlines())
        text = registry.read_text()
        assert text.count(before) == 1
        registry.write_text(text.replace(before, before + added))
    return copy


def follow(project: Path, command: str) -> str:
    """Run one of the page's commands there, with this Python."""
    program, *rest = shlex.split(command)
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *rest], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_three_edits() -> None:
    assert (FILE, TEST) == (
        "training/losses/focal.py",
        "tests/unit/training/losses/test_focal.py",
    )
    assert REGISTRY == "training/losses/__init__.py"
    assert len(re.findall(r"^## \d\. ", PAGE, flags=re.MULTILINE)) == 3


@pytest.mark.parametrize("command", "".join(blocks("sh")).splitlines())
def test_every_command_of_the_page_works(project: Path, command: str) -> None:
    output = follow(project, command)
    if "pytest" in command:
        assert re.search(r"\b[1-9]\d* passed", output)
        assert "failed" not in output
    else:
        assert "focal  epoch 1/1" in output


def test_the_pages_code_is_as_clean_as_the_projects(project: Path) -> None:
    for check in (["check"], ["format", "--check"]):
        follow(project, shlex.join(["python", "-m", "ruff", *check, FILE, REGISTRY, TEST]))
