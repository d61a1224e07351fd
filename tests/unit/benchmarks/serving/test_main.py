"""The command line."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from rich.console import Console

from benchmarks.serving import __main__ as command
from benchmarks.serving.benchmark import Benchmark
from benchmarks.serving.peers import SERVERS
from benchmarks.serving.peers.model import VERSION, Model
from models.store import Store


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Benchmark]:
    """Record the measurements that would be made."""
    benchmarks: list[Benchmark] = []
    monkeypatch.setenv(VERSION, "")  # the command sets it: afterwards it is as it was

    def run(one: Benchmark, _: Console) -> bool:
        benchmarks.append(one)
        return True

    monkeypatch.setattr(Benchmark, "run", run)
    return benchmarks


def test_by_default_everything_is_measured(asked: list[Benchmark]) -> None:
    assert command.main([]) == 0
    (one,) = asked
    assert [server.name for server in one.servers] == [server.name for server in SERVERS]
    assert [workload.name for workload in one.workloads] == ["small", "photo", "many"]
    assert one.settings.connections == (1, 16, 64, 256)
    assert set(one.settings.loops) == {"closed", "open", "overload"}
    assert one.command == "python -m benchmarks.serving"
    assert one.out == Path("benchmarks/results/serving.json")


def test_a_choice_is_taken_and_recorded_without_the_machines_paths(asked: list[Benchmark]) -> None:
    arguments = ["--quick", "--only", "fastapi,ours", "--workloads", "small", "--loops=closed"]
    command.main([*arguments, "--out", "/somewhere/else.json", "--connections", "2,8"])
    command.main([*arguments, "--out=/somewhere/else.json", "--connections", "2,8"])
    for one in asked:
        assert [server.name for server in one.servers] == ["ours", "fastapi"]
        assert one.settings.connections == (2, 8)
        assert (one.settings.rounds, one.settings.loops) == (1, ("closed",))
        assert one.out == Path("/somewhere/else.json")
        recorded = " ".join(["python -m benchmarks.serving", *arguments, "--connections 2,8"])
        assert one.command == recorded


@pytest.mark.parametrize("version", [1, 2])
def test_ours_and_the_peers_serve_the_version_that_is_asked_for(
    version: int, asked: list[Benchmark]
) -> None:
    command.main([f"--model-version={version}"] if version > 1 else [])
    (ours,) = (server for server in asked[0].servers if server.name == "ours")
    assert ours.request([b"image"]).startswith(b"POST /embed?version=%d " % version)
    registry = Store(Path("models/registry"))
    graph = onnxruntime.InferenceSession(registry.load("arcface", version).path / "model.onnx")
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    (expected,) = graph.run(["embedding"], {"images": images})
    np.testing.assert_allclose(Model().embed(images), expected, atol=1e-5)


@pytest.mark.parametrize("wrong", ["--only=nobody", "--workloads=none", "--connections=many"])
def test_what_is_unknown_is_refused(wrong: str, asked: list[Benchmark]) -> None:
    with pytest.raises(SystemExit):
        command.main([wrong])
    assert not asked
