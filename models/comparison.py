"""A comparison of the losses: the schema of `registry/comparison/comparison.json`."""

from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from models.comparison_protocol import Goal, Measure, Protocol, Tuned
from models.evidence.estimate import Estimate
from models.manifest import Frozen, Name
from models.report import DatasetRecord, Figure

Reader = Literal["own head", "nearest class mean", "k-NN", "linear probe"]
Runs = Literal["final", "unknowns"]
DEFAULT = "default"  # the name of the comparison that was made without one
LEVEL = 0.05  # of the tests: the chance, per measure, that any of equal losses are distinguished


class Result(Frozen):
    """One loss on one metric, over the seeds."""

    loss: str
    measure: str
    mean: Estimate = Field(
        description="mean over seeds; 95 % interval over seeds and, as `image_variance` says, over "
        "test images"
    )
    sd: float = Field(ge=0, description="standard deviation over seeds (n - 1)")
    by_seed: tuple[float, ...]


class Difference(Frozen):
    """`first` less `second` on one metric, paired by seed."""

    measure: str
    first: str
    second: str
    difference: Estimate = Field(
        description="mean over seeds; 95 % interval of the test, for this pair alone"
    )
    p_value: float = Field(
        gt=0,
        le=1,
        description="two-sided test over the seeds, paired, and over the test images; 1 where "
        "nothing shows how much the difference varies",
    )
    p_adjusted: float = Field(
        gt=0, le=1, description="Holm's, over all pairs of losses on this metric"
    )
    detectable: float | None = Field(
        description="the true difference that this pair's test finds 4 times in 5 at the strictest "
        "level that Holm's correction can ask for, with the spread seen here; null where none was "
        "seen"
    )
    image_sd: float | None = Field(
        default=None,
        description="standard deviation of the difference over draws of the test images, which "
        "more seeds do not reduce; null where it is not included",
    )

    @property
    def significant(self) -> bool:
        """Return whether the losses differ at 5 % after the correction."""
        return self.p_adjusted < LEVEL


class Swap(Frozen):
    """One loss's test embeddings, classified by one reader."""

    loss: str
    reader: Reader
    accuracy: Estimate = Field(description="mean over seeds; 95 % interval by Student's t")
    by_seed: tuple[float, ...]


class ConfusedClasses(Frozen):
    """Two classes, and how much of all confusion lies between them."""

    first: str
    second: str
    share: float = Field(
        description="errors between the two, in either direction, over all errors; all losses and "
        "seeds together"
    )
    by_loss: dict[str, float] = Field(description="the same for each loss, over its seeds")


class MeasureOpinion(Frozen):
    """The word of a secondary measure beside a verdict."""

    measure: str
    leader: str = Field(description="the loss with the best mean on it")
    best: tuple[str, ...] = Field(description="the losses that none is better than, simplest first")
    agrees: bool = Field(
        description="whether the verdict's leader is among this measure's best, and the other way"
    )
    sentence: str


class Power(Frozen):
    """The power of the whole procedure with this many seeds, by simulation from the spreads seen.

    Simulated: the loss with the best mean is ahead of all others, which are equal, by some lead.
    """

    measure: str
    lead: Estimate = Field(
        description="the lead at which it is distinguished from every other loss 4 times in 5; the "
        "interval is that of the spreads, which come from few seeds"
    )
    pair_found: float = Field(
        ge=0,
        le=1,
        description="at that lead, how often it is distinguished from a given other loss",
    )
    false_alarms: float = Field(
        ge=0, le=1, description="how often some pair is distinguished where all losses are equal"
    )
    simulations: int


class Verdict(Frozen):
    """The answer for one goal, in plain words."""

    goal: Goal
    measure: str
    best: tuple[str, ...] = Field(
        description="the losses that none is better than, as far as the tests can tell: no pair of "
        "them is distinguished; simplest first"
    )
    prefer: str = Field(
        description="the loss with the best mean; advice only where it is alone in `best`"
    )
    tie: bool = Field(description="whether the verdict is undecided: `best` holds several losses")
    tied: tuple[tuple[str, ...], ...] = Field(
        default=(), description="all largest sets of losses in which no pair is distinguished"
    )
    seeds_needed: int | None = Field(
        default=None,
        description="final runs of each loss with which `prefer` would be distinguished from every "
        "other loss 4 times in 5, if means and spreads are as seen; null where it is decided, "
        "or where no number up to 200 would do",
    )
    opinions: tuple[MeasureOpinion, ...] = Field(
        default=(), description="of the secondary measures"
    )
    epochs: int | None = Field(
        default=None, description="of the runs that it rests on; null where it was not recorded"
    )
    unconverged: tuple[str, ...] | None = Field(
        default=None,
        description="losses whose runs had not converged, simplest first; null where that was not "
        "recorded of every loss, and none of the others had not converged",
    )
    sentence: str


class Convergence(Frozen):
    """The gain of a loss at the end of its runs."""

    loss: str
    runs: Runs = Field(
        default="final", description="the final runs, or those again that leave classes out"
    )
    epochs: int = Field(description="the last ones, over which the gain is taken")
    gain: Estimate = Field(
        description="of accuracy on the tuning split, mean over seeds, with 95 % interval (t)"
    )
    converged: bool


class LengthCheck(Frozen):
    """The check that tuning's short trials rank a loss's values as full ones do."""

    loss: str
    short: tuple[float, ...] = Field(
        description="accuracy on the tuning split of trials spread over the ranking, best first"
    )
    full: tuple[float, ...] = Field(
        description="of the same values, trained as long as the final runs with the trials' seed"
    )
    spearman: float | None = Field(
        ge=-1, le=1, description="rank correlation of the two; null where one never varies"
    )


class ComparisonReport(Frozen):
    """All losses under one protocol, with several seeds each."""

    schema_version: Literal[2] = 2
    name: Name = Field(
        default=DEFAULT, description="what it is published as, beside others; `default` without one"
    )
    losses: tuple[str, ...] = Field(description="from the simplest to the least simple")
    further: tuple[str, ...] = Field(
        default=(), description="those of `losses` that tables show apart, behind the others"
    )
    baseline: str
    protocol: Protocol
    dataset: DatasetRecord
    tuning: tuple[Tuned, ...]
    measures: tuple[Measure, ...]
    results: tuple[Result, ...]
    differences: tuple[Difference, ...] = Field(description="every pair of losses, every metric")
    head_swap: tuple[Swap, ...]
    confused: tuple[ConfusedClasses, ...] = Field(
        description="the 10 pairs of classes that are confused most"
    )
    verdicts: tuple[Verdict, ...]
    power: tuple[Power, ...] = Field(default=(), description="for each goal's primary measure")
    convergence: tuple[Convergence, ...] = Field(
        default=(), description="of each loss; empty where it was not recorded"
    )
    length_checks: tuple[LengthCheck, ...] = Field(
        default=(), description="empty where trials were as long as the final runs"
    )
    majority_share: float | None = Field(
        default=None,
        description="share of the test images that are of the most frequent class: the accuracy of "
        "always naming it; null where it was not recorded",
    )
    figures: tuple[Figure, ...] = Field(
        default=(), description="at /report/figures/{name}.svg, in this order"
    )
    command: str
    commit: str | None
    versions: dict[str, str]
    hardware: str
    training_seconds: float = Field(description="of every trial and final run together")
    evaluated: datetime
    revised: datetime | None = Field(
        default=None,
        description="when the statistics were worked out anew from the measurements; null where "
        "they are the first",
    )

    @property
    def runs(self) -> int:
        """Count the runs behind it: final ones, and those that leave classes out."""
        rounds = self.protocol.seeds if self.protocol.left_out else 0
        return len(self.losses) * (self.protocol.seeds + rounds)

    @property
    def converged_runs(self) -> int | None:
        """Count those whose loss had stopped gaining; None where that was not recorded."""
        if not self.convergence:
            return None
        return self.protocol.seeds * sum(one.converged for one in self.convergence)

    @property
    def has_converged(self) -> bool:
        """Return whether every loss's final runs are known to have converged."""
        stopped = {one.loss for one in self.convergence if one.runs == "final" and one.converged}
        return set(self.losses) <= stopped

    @model_validator(mode="before")
    @classmethod
    def _read_version_1(cls, given: object) -> object:
        """Version 1 lacks what has a default now; its statistics stand as they were written."""
        if not isinstance(given, dict) or given.get("schema_version") != 1:
            return given
        tests = [
            {**row, "p_value": row["p_value"] or _LEAST, "p_adjusted": row["p_adjusted"] or _LEAST}
            for row in given["differences"]
        ]
        return {**given, "schema_version": 2, "differences": tests}


_LEAST = 1e-12  # in place of a p of 0 in version 1
