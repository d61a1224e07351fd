"""The profile of the service."""

import shutil

import pytest

from benchmarks.serving.profile import SamplerFailed, listed, profile
from benchmarks.serving.workloads import Workload, one_small


def test_the_table_adds_up() -> None:
    spent = {"b (a.py)": 0.006, "d (c.py)": 0.003, "e": 0.001}
    lines = listed(spent, answered=1000, rows=2).splitlines()
    assert lines[2:] == [
        "| b (a.py) | 6.0 | 60.0% |",
        "| d (c.py) | 3.0 | 30.0% |",
        "| *all others* | 1.0 | 10.0% |",
        "| *together* | 10.0 | 100.0% |",
    ]


@pytest.mark.skipif(shutil.which("py-spy") is None, reason="py-spy is not on PATH")
def test_the_service_tells_where_its_time_goes() -> None:
    small = one_small()
    few = Workload("small", "one", small.images[:8], tuple((index,) for index in range(8)))
    try:
        answered, spent = profile(few, connections=4, seconds=1.5)
    except SamplerFailed as error:
        pytest.skip(f"py-spy may not look into processes here: {error}")
    assert answered > 0
    assert any("onnxruntime" in place for place in spent)
    assert sum(spent.values()) > 0.01
