"""TensorBoard's own reader finds each step once, the findings, the recipe and the result."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from tests.support.followed import STEPS, follow, follow_with_a_kill
from tests.support.tiny_runs import tiny_recipe
from training.checkpoints.run import RunFolder
from training.loop.tracking.run_tracker import Tracking, track_result

BOARD = Tracking(tensorboard=True)


def read(path: Path) -> EventAccumulator:
    events = EventAccumulator(str(path / "tensorboard"))
    events.Reload()
    return events


def scalars(path: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read(path).Scalars(name)]


def text(events: EventAccumulator, name: str) -> str:
    (event,) = events.Tensors(f"{name}/text_summary")
    return bytes(event.tensor_proto.string_val[0]).decode()


def test_a_run_is_written_down(tmp_path: Path) -> None:
    follow(tmp_path, BOARD)
    events = read(tmp_path)
    assert {"step/loss", "step/learning_rate", "step/images_per_second"} <= set(
        events.Tags()["scalars"]
    )
    assert [event.step for event in events.Scalars("epoch/tuning_accuracy")] == [4, 8, 12]
    progress = RunFolder(tmp_path).load(tmp_path / "checkpoint.pt")["progress"]
    last = progress["history"][-1]
    assert events.Scalars("epoch/loss")[-1].value == pytest.approx(last["loss"])
    assert progress["findings"][0]["sentence"] in text(events, "findings")
    assert 'loss = "cosface"' in text(events, "recipe")

    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    given = HParamsPluginData.FromString(content).session_start_info.hparams
    assert given["parameters.scale"].number_value == 6.0


def test_what_the_loss_says_of_its_health_is_written_down(tmp_path: Path) -> None:
    follow(tmp_path, BOARD, recipe=tiny_recipe("center"))
    last = RunFolder(tmp_path).load(tmp_path / "checkpoint.pt")["progress"]["history"][-1]
    for name in ("center_probability", "pull_ratio"):
        step, value = scalars(tmp_path, f"diagnostics/{name}")[-1]
        assert step == STEPS
        assert value == pytest.approx(last["diagnostics"][name])


@pytest.mark.parametrize("after", [2, 6])
def test_a_killed_run_goes_on_in_the_same_folder(tmp_path: Path, after: int) -> None:
    follow(tmp_path / "whole", BOARD)
    follow_with_a_kill(tmp_path / "broken", BOARD, after=after)
    losses = scalars(tmp_path / "broken", "step/loss")
    assert [step for step, _ in losses] == [*range(1, STEPS + 1)]
    for name in ("step/loss", "epoch/loss", "epoch/tuning_accuracy"):
        assert scalars(tmp_path / "broken", name) == scalars(tmp_path / "whole", name)


def test_the_test_accuracy_comes_last(tmp_path: Path) -> None:
    follow(tmp_path, BOARD)
    track_result(RunFolder(tmp_path), "test_accuracy", 0.75)
    assert [value for _, value in scalars(tmp_path, "test_accuracy")] == [0.75]
    assert len(scalars(tmp_path, "step/loss")) == STEPS
