"""The examples in the docstrings of what others build on say what really happens."""

import doctest
from importlib import import_module

import pytest

from tests.support.serving import ROOT

MODULES = (
    "models.store",
    "models.vectors",
    "reports.marks",
    "reports.words",
    "service.collections.collection",
    "service.inference.batcher",
    "service.vectors.protocol",
    "training.losses.base",
    "training.loop.trainer",
)


@pytest.mark.parametrize("name", MODULES)
def test_an_example_is_there_and_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found = doctest.testmod(import_module(name))
    assert found.attempted
    assert not found.failed
