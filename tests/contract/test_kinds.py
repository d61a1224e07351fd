"""The kinds of tests: `make test` leaves out those that pyproject.toml lists, and no others."""

import tomllib
from pathlib import Path

import pytest

from tests.conftest import LATER

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_every_kind_but_one_comes_later() -> None:
    settings = tomllib.loads(PROJECT.read_text())["tool"]["pytest"]["ini_options"]
    named = {line.partition(":")[0] for line in settings["markers"]}
    assert named == {*LATER, "later", "shared"}


@pytest.mark.published
def test_what_has_a_kind_comes_later(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("later")


def test_what_has_no_kind_does_not(request: pytest.FixtureRequest) -> None:
    assert not request.node.get_closest_marker("later")
