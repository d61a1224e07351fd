"""A line that holds for all losses is printed once a command, not once a process."""

from pathlib import Path

import pytest

from tests.support.commands import training_here
from training.cli.options import say_once


def test_the_next_command_says_it_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert training_here("evaluate", "--loss", "softmax", "--runs", tmp_path) == 1
    say_once("data: 3 classes")
    say_once("data: 3 classes")
    assert capsys.readouterr().out.count("data: 3 classes") == 1
    assert training_here("evaluate", "--loss", "softmax", "--runs", tmp_path) == 1
    say_once("data: 3 classes")
    assert capsys.readouterr().out.count("data: 3 classes") == 1
