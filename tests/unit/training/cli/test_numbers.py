"""Every number on the command line is held to what it can mean, before anything is begun."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import training_here
from training.__main__ import parser
from training.cli.options import named_classes

WORDS = ("", "-1", "nan", "inf", "-inf", "1e9", "1e400", "0x10", "x", "9" * 30, "1.5", "--")
NOUGHTS = {"--seed"}  # which may be 0
SHARES = {"--learning-rate"}  # which need not be whole
WHOLE = ("--rounds", "--epochs", "--trials", "--seeds", "--seed", "--views", "--batch",
         "--batch-size", "--embedding-size", "--size-px", "--tuning-epochs", "--unknown-epochs",
         "--workers", "--shard")  # fmt: skip


def actions(of: argparse.ArgumentParser, step: str = "") -> Iterator[tuple[str, argparse.Action]]:
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from actions(inner, f"{step} {name}".strip())
        elif action.option_strings and action.type not in (None, Path):
            yield f"{step} {action.option_strings[0]}", action


TEXTS = ("--model", "--name", "--fail-on", "--pairs-of")  # with rules of their own
NUMBERS = [(name, one) for name, one in actions(parser()) if not name.endswith(TEXTS)]


def test_all_numbers_are_looked_at() -> None:
    assert {name.split()[-1] for name, _ in NUMBERS} >= {*WHOLE, *SHARES}


@pytest.mark.parametrize(("name", "action"), NUMBERS, ids=[name for name, _ in NUMBERS])
def test_what_an_option_cannot_mean_is_refused(name: str, action: argparse.Action) -> None:
    assert callable(action.type)
    option = name.split()[-1]
    bad = {*WORDS, "0"} - ({"0"} if option in NOUGHTS else set())
    for word in bad - ({"1.5"} if option in SHARES else set()):
        with pytest.raises(argparse.ArgumentTypeError, match="must be"):
            action.type(word)
    assert action.type("20") == 20
    if isinstance(action.default, int | float):
        assert action.type(str(action.default)) == action.default


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("compare", "--data=cifar10", "--seeds=1"), "--seeds"),
        (("tune", "--loss=softmax", "--data=cifar10", "--trials=0"), "--trials"),
        (("unknowns", "--loss=softmax", "--epochs=-3"), "--epochs"),
    ],
)
def test_a_refusal_is_a_line_and_no_traceback(
    words: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert training_here(*words) == 2
    assert f"error: argument {option}: must be" in capsys.readouterr().err.splitlines()[-1]


CLASSES = ("a", "a,b", "b", "tench, Tinca tinca", "caf\u00e9")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["a"], ("a",)),
        (["b,a"], ("b", "a")),
        (["b, a"], ("b", "a")),
        (["a,b"], ("a,b",)),  # a class's whole name comes first
        (["a", "b"], ("a", "b")),
        (["tench, Tinca tinca"], ("tench, Tinca tinca",)),
        (["tench, Tinca tinca", "a"], ("tench, Tinca tinca", "a")),
        (["cafe\u0301,a"], ("caf\u00e9", "a")),
        (["a", "a"], ("a",)),
        (["a,none"], ("a", "none")),  # which leave_out refuses by name
    ],
)
def test_classes_are_named_with_commas_between_or_one_by_one(
    given: list[str], named: tuple[str, ...]
) -> None:
    assert named_classes(given, CLASSES) == named
