"""A synthetic comparison of the losses: whole, and with numbers of the size that real ones have."""

import json
import re
from datetime import UTC, datetime
from itertools import combinations
from typing import get_args

from models.comparison import (
    ComparisonReport,
    ConfusedClasses,
    Convergence,
    Difference,
    MeasureOpinion,
    Power,
    Reader,
    Result,
    Runs,
    Swap,
    Verdict,
)
from models.comparison_protocol import Goal, GoalMeasures, Measure, Protocol, Searched, Trial, Tuned
from models.evidence.estimate import Estimate
from models.report import Figure
from models.tied import tied_sets, unbeaten
from tests.support.reports import dataset

LOSSES = ("softmax", "center", "cosface", "arcface", "triplet")
SEEDS = 5
FIGURES = ("comparison-measures", "comparison-differences", "comparison-head-swap", "results")
_MEANS: dict[str, tuple[float, ...]] = {  # by measure, in the order of the losses
    "accuracy": (0.8012, 0.8043, 0.8034, 0.7957, 0.7512),
    "map_at_r": (0.5321, 0.5843, 0.6512, 0.6434, 0.6123),
    "eer": (0.1843, 0.1612, 0.1234, 0.1256, 0.1345),
    "unknown_auroc": (0.7712, 0.7734, 0.7623, 0.7645, 0.7012),
    "ece": (0.0112, 0.0134, 0.0121, 0.0143, 0.0287),
    "nll": (0.5712, 0.5698, 0.6012, 0.6234, 0.7345),
}
_TITLES: dict[str, tuple[str, Goal | None]] = {
    "accuracy": ("Test accuracy", "classify"),
    "map_at_r": ("MAP@R", "retrieve"),
    "eer": ("Equal error rate", "verify"),
    "unknown_auroc": ("AUROC of unknowns", "reject unknowns"),
    "ece": ("Expected calibration error", "be calibrated"),
    "nll": ("Negative log-likelihood", None),
}
_LOWER_IS_BETTER = ("eer", "ece", "nll")
_HALF = 0.0041  # half an interval


def comparison() -> ComparisonReport:
    """Five losses, five seeds."""
    return ComparisonReport(
        losses=LOSSES,
        baseline="softmax",
        protocol=Protocol(
            backbone="compact",
            embedding_size=64,
            batch_size=256,
            optimiser="AdamW",
            trials=12,
            trials_per_value=4,
            tuning_epochs=6,
            tuning_images=4321,
            goals=tuple(
                GoalMeasures(goal=goal, primary=name, secondary=("nll",) if name == "ece" else ())
                for name, (_, goal) in _TITLES.items()
                if goal
            ),
            seeds=SEEDS,
            epochs=15,
            unknown_epochs=10,
            left_out=tuple((f"class {2 * i}", f"class {2 * i + 1}") for i in range(SEEDS)),
        ),
        dataset=dataset(),
        tuning=tuple(map(_tuned, LOSSES)),
        measures=tuple(map(_measure, _MEANS)),
        results=tuple(_result(loss, name) for name in _MEANS for loss in LOSSES),
        differences=tuple(
            _difference(name, second, first)
            for name in _MEANS
            for first, second in combinations(LOSSES, 2)
        ),
        head_swap=tuple(
            Swap(
                loss=loss,
                reader=reader,
                accuracy=_estimate(_MEANS["accuracy"][i] - 0.0037 * j),
                by_seed=_by_seed(_MEANS["accuracy"][i] - 0.0037 * j),
            )
            for i, loss in enumerate(LOSSES)
            for j, reader in enumerate(get_args(Reader))
        ),
        confused=(
            ConfusedClasses(first="cat", second="dog", share=0.1634, by_loss=_shares(0.1634)),
            ConfusedClasses(first="deer", second="horse", share=0.0521, by_loss=_shares(0.0521)),
        ),
        verdicts=tuple(_verdict(name, goal) for name, (_, goal) in _TITLES.items() if goal),
        power=tuple(_power(name) for name, (_, goal) in _TITLES.items() if goal),
        convergence=(
            Convergence(
                loss="triplet",
                epochs=2,
                gain=Estimate(value=0.0123, low=0.0045, high=0.0234),
                converged=False,
            ),
        ),
        majority_share=0.1234,
        figures=tuple(
            Figure(name=name, title=f"Title of {name}", caption=f"Caption of {name}")
            for name in FIGURES
        ),
        command="python -m training compare --data cifar10",
        commit="0123456789abcdef0123456789abcdef01234567",
        versions={"torch": "2.14.1"},
        hardware="two cores",
        training_seconds=123_456,
        evaluated=datetime(2026, 1, 3, 4, 5, 6, tzinfo=UTC),
    )


def swapped(name: str, first: str, second: str, *, converged: bool = True) -> ComparisonReport:
    """Another comparison, in which two losses changed places in everything that is said of them."""
    other = {first: second, second: first}
    words = re.compile("|".join(other))
    text = words.sub(lambda found: other[found.group()], comparison().model_dump_json())
    whole = json.loads(text)
    gain = {"value": 0.001, "low": 0.0, "high": 0.002} if converged else {"value": 0.02} | _WIDE
    ends = {"epochs": 2, "gain": gain, "converged": converged}
    whole |= {
        "name": name,
        "losses": LOSSES,
        "convergence": [
            {"loss": loss, "runs": runs, **ends} for runs in get_args(Runs) for loss in LOSSES
        ],
        "verdicts": [
            {**one, "unconverged": () if converged else LOSSES, "epochs": 40}
            for one in whole["verdicts"]
        ],
    }
    whole["protocol"]["epochs"] = 40
    return ComparisonReport.model_validate(whole)


_WIDE = {"low": 0.01, "high": 0.03}


def _tuned(loss: str) -> Tuned:
    trials = (
        Trial(values={"learning_rate": 0.00212}, tuning_accuracy=0.7834),
        Trial(values={"learning_rate": 0.03}, tuning_accuracy=None),
    )
    return Tuned(
        loss=loss,
        trials=trials,
        chosen={"learning_rate": 0.00212, "scale": 14.25},
        searched={"scale": Searched(low=8.5, high=32.5, logarithmic=True)},
        at_edge=("scale",),
        drawn=7,
    )


def _measure(name: str) -> Measure:
    title, goal = _TITLES[name]
    return Measure(
        name=name,
        title=title,
        goal=goal,
        higher_is_better=name not in _LOWER_IS_BETTER,
        percent=name not in ("unknown_auroc", "nll"),
        description=f"What {title} says of the test images.",
        secondary_to="be calibrated" if name == "nll" else None,
        image_variance="not included" if name == "nll" else "paired resamples",
    )


def _result(loss: str, name: str) -> Result:
    mean = _mean(loss, name)
    return Result(loss=loss, measure=name, mean=_estimate(mean), sd=0.0033, by_seed=_by_seed(mean))


def _difference(name: str, first: str, second: str) -> Difference:
    value = _mean(first, name) - _mean(second, name)
    p_value = 0.0004 if abs(value) > 0.006 else 0.2134
    return Difference(
        measure=name,
        first=first,
        second=second,
        difference=_estimate(value),
        p_value=p_value,
        p_adjusted=min(1.0, 4 * p_value),
        detectable=0.0061,
        image_sd=0.0017,
    )


def _verdict(name: str, goal: Goal) -> Verdict:
    sign = -1 if name in _LOWER_IS_BETTER else 1
    best = max(LOSSES, key=lambda loss: sign * _mean(loss, name))
    tests = [_difference(name, second, first) for first, second in combinations(LOSSES, 2)]
    tied = unbeaten(LOSSES, tests, _measure(name))
    title = _TITLES[name][0]
    return Verdict(
        goal=goal,
        measure=name,
        best=tied,
        prefer=best,
        tie=len(tied) > 1,
        tied=tied_sets(LOSSES, tests),
        seeds_needed=23 if len(tied) > 1 else None,
        opinions=_opinions(goal),
        epochs=15,
        unconverged=("triplet",),
        sentence=f"Undecided in {title} between {', '.join(tied)} (best mean: {best})."
        if len(tied) > 1
        else f"{best} is best in {title}.",
    )


def _opinions(goal: Goal) -> tuple[MeasureOpinion, ...]:
    if goal != "be calibrated":
        return ()
    sentence = "By Negative log-likelihood, center is best."
    return (
        MeasureOpinion(
            measure="nll", leader="center", best=("center",), agrees=False, sentence=sentence
        ),
    )


def _power(name: str) -> Power:
    lead = Estimate(value=0.0123, low=0.0087, high=0.0345)
    return Power(measure=name, lead=lead, pair_found=0.934, false_alarms=0.041, simulations=1000)


def _shares(share: float) -> dict[str, float]:
    return {loss: share + 0.0012 * i for i, loss in enumerate(LOSSES)}


def _mean(loss: str, name: str) -> float:
    return _MEANS[name][LOSSES.index(loss)]


def _estimate(value: float) -> Estimate:
    return Estimate(value=value, low=value - _HALF, high=value + _HALF)


def _by_seed(mean: float) -> tuple[float, ...]:
    return tuple(mean + 0.001 * (seed - 2) for seed in range(SEEDS))
