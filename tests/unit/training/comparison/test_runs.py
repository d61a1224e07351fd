"""The comparison's trainings: alike for every loss, shared, resumable, and summed up honestly."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from pydantic import ValidationError

from models.comparison import ComparisonReport
from training.checkpoints.run import RunFolder
from training.common.machine import Machine
from training.comparison.catalog import MEASURES
from training.comparison.length_check import CheckedTrial, length_check
from training.comparison.protocol import ComparisonProtocol
from training.comparison.run_result import Measured, is_measured
from training.comparison.runs import ComparisonFolder
from training.comparison.summary import summarize
from training.data.dataset import Dataset, LabeledImages
from training.errors import InvalidRun
from training.evaluation.leave_out_rounds import left_out_answers
from training.losses import LOSSES
from training.recipes.recipe import Recipe
from training.tuning.tune import Budget


def recipe(loss: str, **fields: object) -> Recipe:
    tiny = {"embedding_size": 8, "size_px": 8, "batch_size": 16, "epochs": 1}
    return Recipe.model_validate({"loss": loss, **tiny, **fields})


PROTOCOL = ComparisonProtocol(
    recipes=tuple(recipe(loss) for loss in LOSSES),
    precision=Machine.here().computed,
    budget=Budget(trials=1, epochs=1),
    seeds=2,
    unknown_epochs=1,
)


def noise(count: int, seed: int) -> LabeledImages:
    """Four shades of gray, a class each."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 4
    pixels = torch.randint(0, 100, (count, 8, 8, 3), generator=generator)
    images = (pixels + 50 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    return LabeledImages(images, labels, tuple(f"{seed}/{row}" for row in range(count)))


DATASET = Dataset("tiny", "noise", "0" * 64, tuple("abcd"), noise(160, 1), noise(40, 2))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComparisonFolder]:
    comparison = ComparisonFolder(tmp_path_factory.mktemp("comparison"), PROTOCOL, "tiny", DATASET)
    comparison.begin()
    assert comparison.train()
    yield comparison


@pytest.fixture(scope="module")
def report(finished: ComparisonFolder) -> ComparisonReport:
    return summarize(finished)


def test_nothing_but_the_loss_and_what_was_tuned_differs(finished: ComparisonFolder) -> None:
    free = {"loss", "parameters", "learning_rate", "weight_decay"}
    for seed in range(2):
        fixed = [
            RunFolder(job.path).record().recipe.model_dump(exclude=free)
            for job in finished.finals()
            if job.seed == seed
        ]
        assert len(fixed) == len(LOSSES)
        assert all(one == fixed[0] for one in fixed)


def test_runs_of_a_seed_see_the_same_images_and_other_seeds_others(
    finished: ComparisonFolder,
) -> None:
    records = {(job.loss, job.seed): RunFolder(job.path).record() for job in finished.finals()}
    assert {record.dataset.sha256 for record in records.values()} == {DATASET.sha256}
    assert {record.recipe.seed for (_, seed), record in records.items() if seed == 1} == {1}


def test_unknown_rounds_leave_out_other_classes_for_each_seed(finished: ComparisonFolder) -> None:
    for job in finished.rounds():
        record = RunFolder(job.path).record()
        assert record.recipe.leave_out == job.left_out
        assert record.class_names == tuple(name for name in "abcd" if name not in job.left_out)
        scored = Measured.read(job.path).unknowns
        assert scored is not None
        assert (scored.known, scored.unknown) == (20, 20)
    assert len({job.left_out for job in finished.rounds()}) == 2


def test_classes_never_trained_are_searched_among_themselves(finished: ComparisonFolder) -> None:
    """A round's measure of the left-out images, from their embeddings and their names alone."""
    job = next(iter(finished.rounds()))
    measured = Measured.read(job.path)
    left_out, metric = left_out_answers(RunFolder(job.path), DATASET)
    names = [DATASET.class_names[label] for label in left_out.unknown.labels]
    assert set(names) == set(job.left_out)
    scores = left_out.unknown.embeddings.astype(float)
    near = scores @ scores.T
    if metric == "l2":
        near = -np.square(scores[:, None] - scores).sum(axis=2)
    np.fill_diagonal(near, -np.inf)
    right = [names[row] == names[found] for row, found in enumerate(near.argmax(axis=1))]
    assert measured.values["unseen_recall_at_1"] == pytest.approx(np.mean(right))
    unseen = {name for name in measured.values if name.startswith("unseen_")}
    assert unseen == {name for name in measured.resampled if name.startswith("unseen_")}
    assert {"unseen_map_at_r", "unseen_eer"} <= unseen


def test_a_finished_comparison_trains_nothing_more(
    finished: ComparisonFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = ComparisonFolder(finished.path, PROTOCOL, "tiny", DATASET)
    again.begin()
    before = {path: path.stat().st_mtime_ns for path in finished.path.rglob("checkpoint.pt")}
    assert again.train()
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_what_another_process_is_at_is_left_to_it(finished: ComparisonFolder) -> None:
    taken = next(iter(finished.finals()))
    again = ComparisonFolder(finished.path, PROTOCOL, "tiny", DATASET)
    with FileLock(taken.path / ".lock"):
        assert not again.train()
    assert again.train()


def test_another_protocol_needs_another_folder(finished: ComparisonFolder) -> None:
    for field, value in {
        "recipes": tuple(recipe(loss, epochs=2) for loss in LOSSES),
        "unknown_epochs": 2,
        "budget": Budget(trials=2, epochs=1),
        "precision": "bfloat16" if PROTOCOL.precision == "float32" else "float32",
    }.items():
        other = PROTOCOL.model_copy(update={field: value})
        with pytest.raises(InvalidRun, match=field):
            ComparisonFolder(finished.path, other, "tiny", DATASET).begin()


def test_the_protocol_of_an_older_version_needs_another_folder(tmp_path: Path) -> None:
    (tmp_path / "protocol.json").write_text('{"backbone": "compact", "epochs": 6}')
    with pytest.raises(InvalidRun, match="older"):
        ComparisonFolder(tmp_path, PROTOCOL, "tiny", DATASET).begin()


def test_recipes_that_differ_in_more_than_the_loss_are_no_protocol() -> None:
    fields = {"precision": "float32", "budget": Budget(), "unknown_epochs": 1}
    softmax = recipe("softmax")
    own = recipe("cosface", parameters={"scale": 20.0}, learning_rate=1e-3, weight_decay=0.5)
    assert ComparisonProtocol(recipes=(softmax, own), **fields).losses == ("softmax", "cosface")
    for other in (recipe("cosface", batch_size=8), recipe("cosface", ema=0.9)):
        with pytest.raises(ValidationError, match=r"differ in (batch_size|ema)"):
            ComparisonProtocol(recipes=(softmax, other), **fields)
    with pytest.raises(ValidationError, match="once"):
        ComparisonProtocol(recipes=(softmax, softmax), **fields)


def test_a_comparison_goes_on_from_its_text_files_alone(
    finished: ComparisonFolder,
    report: ComparisonReport,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for pattern in ("protocol.json", "study.jsonl", "recipe.toml", "measured.json", "checked.json"):
        for file in finished.path.rglob(pattern):
            there = tmp_path / file.relative_to(finished.path)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, there)
    monkeypatch.setattr("training.comparison.runs.fit", None)
    monkeypatch.setattr("training.tuning.tune.fit", None)
    elsewhere = ComparisonFolder(tmp_path, PROTOCOL, "tiny", DATASET)
    elsewhere.begin()
    assert elsewhere.train()
    again = summarize(elsewhere)
    assert again.results == report.results
    assert again.tuning == report.tuning
    assert again.training_seconds == report.training_seconds > 0


def test_short_trials_are_checked_at_full_length(tmp_path: Path) -> None:
    protocol = ComparisonProtocol(
        recipes=tuple(recipe(loss, epochs=2) for loss in ("softmax", "center", "cosface")),
        precision=PROTOCOL.precision,
        budget=Budget(trials=3, epochs=1),
        seeds=2,
        unknown_epochs=1,
    )
    comparison = ComparisonFolder(tmp_path, protocol, "tiny", DATASET)
    comparison.begin()
    jobs = list(comparison.checks())
    assert [(job.loss, job.place) for job in jobs] == [
        (loss, place) for loss in ("softmax", "cosface") for place in range(3)
    ]
    assert comparison.train()
    for job in jobs:
        record = RunFolder(job.path).record()
        assert (record.recipe.epochs, record.recipe.seed) == (2, 0)
    for check in summarize(comparison).length_checks:
        tried = comparison.tuning(check.loss).tried(4).trials
        assert sorted(check.short, reverse=True) == list(check.short)
        assert sorted(check.short) == sorted(trial.tuning_accuracy or 0 for trial in tried)
        assert len(check.full) == 3


def test_a_round_that_left_out_other_classes_is_not_summed_up(
    finished: ComparisonFolder, tmp_path: Path
) -> None:
    shutil.copytree(finished.path, tmp_path / "comparison")
    again = ComparisonFolder(tmp_path / "comparison", PROTOCOL, "tiny", DATASET)
    job = next(iter(again.rounds()))
    run = Measured.read(job.path)
    assert run.record is not None
    other = run.record.recipe.varied(leave_out=("z",))
    changed = run.model_copy(update={"record": run.record.model_copy(update={"recipe": other})})
    (job.path / "measured.json").write_text(changed.model_dump_json())
    with pytest.raises(InvalidRun, match="left out z"):
        summarize(again)


def test_ranks_of_short_and_full_trials_are_correlated() -> None:
    def check(*full: float) -> float | None:
        short = np.linspace(0.9, 0.5, len(full))
        done = (
            CheckedTrial(trial=row, short=float(short[row]), full=value, seconds=1.0)
            for row, value in enumerate(full)
        )
        return length_check("softmax", tuple(done)).spearman

    assert check(0.8, 0.7, 0.6, 0.2) == pytest.approx(1)
    assert check(0.2, 0.6, 0.7, 0.8) == pytest.approx(-1)
    assert check(0.5, 0.5, 0.5) is None


def test_more_seeds_are_more_runs_of_the_same_protocol(finished: ComparisonFolder) -> None:
    more = ComparisonFolder(
        finished.path, PROTOCOL.model_copy(update={"seeds": 3}), "tiny", DATASET
    )
    more.begin()
    done = [job.path for job in more.finals() if is_measured(job.path)]
    assert len(done) == 2 * len(LOSSES)
    assert len(list(more.finals())) == 3 * len(LOSSES)
    assert more.epochs() == finished.epochs() + 2 * len(LOSSES)
    finished.begin()


def test_the_report_states_the_common_recipe_and_the_precision(report: ComparisonReport) -> None:
    assert report.protocol.precision == PROTOCOL.precision
    assert report.protocol.recipe["batch_size"] == 16
    assert not {"loss", "parameters", "learning_rate"} & report.protocol.recipe.keys()


def test_means_and_differences_are_those_of_the_runs(
    finished: ComparisonFolder, report: ComparisonReport
) -> None:
    values = {
        (job.loss, job.seed): Measured.read(job.path).values["accuracy"]
        for job in finished.finals()
    }
    for row in report.results:
        if row.measure == "accuracy":
            assert row.by_seed == tuple(values[row.loss, seed] for seed in range(2))
            assert row.mean.value == pytest.approx(np.mean(row.by_seed))
    pairs = [(row.first, row.second) for row in report.differences if row.measure == "accuracy"]
    assert len(pairs) == len(set(pairs)) == len(LOSSES) * (len(LOSSES) - 1) / 2


def test_every_loss_has_every_measure_and_every_goal_a_verdict(report: ComparisonReport) -> None:
    assert {(row.loss, row.measure) for row in report.results} == {
        (loss, measure.name) for loss in LOSSES for measure in report.measures
    }
    goals = {measure.goal for measure in MEASURES if measure.goal}
    assert {verdict.goal for verdict in report.verdicts} == goals
    assert len(report.head_swap) == 4 * len(LOSSES)


def test_each_verdict_says_how_far_the_runs_that_it_rests_on_had_converged(
    finished: ComparisonFolder, tmp_path: Path
) -> None:
    """Final runs of three epochs where triplet still gains; rounds of two, still gaining all."""
    path = tmp_path / "comparison"
    shutil.copytree(finished.path, path)
    again = ComparisonFolder(path, PROTOCOL, "tiny", DATASET)
    for job in (*again.finals(), *again.rounds()):
        flat = (0.2, 0.5, 0.7 + 0.01 * job.seed if job.loss == "triplet" else 0.5)
        curve = (0.2, 0.4 + 0.01 * job.seed) if job.left_out else flat
        run = Measured.read(job.path).model_copy(update={"tuning_curve": curve})
        (job.path / "measured.json").write_text(run.model_dump_json())
    summed = summarize(again)
    for verdict in summed.verdicts:
        rounds = verdict.goal in ("reject unknowns", "retrieve unseen classes")
        assert verdict.epochs == (2 if rounds else 3)
        assert verdict.unconverged == (tuple(LOSSES) if rounds else ("triplet",))
        assert f"before {'any loss' if rounds else 'triplet'} had converged" in verdict.sentence
    assert [one.loss for one in summed.convergence] == 2 * list(LOSSES)
    assert {one.runs for one in summed.convergence[len(LOSSES) :]} == {"unknowns"}


def test_tuning_is_reported_and_is_equal(report: ComparisonReport) -> None:
    assert [tuned.loss for tuned in report.tuning] == list(LOSSES)
    assert {len(tuned.trials) for tuned in report.tuning} == {PROTOCOL.budget.trials}


def test_confusions_are_shares_of_all_errors(report: ComparisonReport) -> None:
    assert sum(pair.share for pair in report.confused) <= 1 + 1e-9
    assert [pair.share for pair in report.confused] == sorted(
        (pair.share for pair in report.confused), reverse=True
    )


def test_the_report_survives_its_own_json(report: ComparisonReport) -> None:
    assert ComparisonReport.model_validate_json(report.model_dump_json()) == report
