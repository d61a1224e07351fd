"""What a comparison of the losses found: the schema of `registry/comparison.json`."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from models.evidence.estimate import Estimate
from models.manifest import Frozen
from models.report import DatasetRecord, Figure

Goal = Literal["classify", "retrieve", "verify", "reject unknowns", "be calibrated"]
Reader = Literal["own head", "nearest class mean", "k-NN", "linear probe"]


class Trial(Frozen):
    """One set of values that tuning tried."""

    values: dict[str, float]
    tuning_accuracy: float | None = Field(description="in 0..1; null where the trial diverged")


class Tuned(Frozen):
    """What tuning tried for a loss, and what it chose."""

    loss: str
    trials: tuple[Trial, ...]
    chosen: dict[str, float]


class Protocol(Frozen):
    """What was the same for every loss."""

    backbone: str
    embedding_size: int
    batch_size: int
    optimiser: str
    trials: int = Field(description="of tuning, for each loss")
    tuning_epochs: int = Field(description="of each trial")
    seeds: int = Field(ge=2, description="final runs of each loss")
    epochs: int = Field(description="of each final run")
    unknown_epochs: int = Field(description="of each final run that leaves classes out")
    left_out: tuple[tuple[str, ...], ...] = Field(
        description="by seed, the classes that its run on unknowns never saw; empty where the "
        "classes are too few"
    )


class Measure(Frozen):
    """A headline metric."""

    name: str
    title: str
    goal: Goal | None = Field(description="the goal that it decides, if any")
    higher_is_better: bool
    percent: bool = Field(description="whether it reads best as a percentage")
    description: str


class Result(Frozen):
    """One loss on one metric, over the seeds."""

    loss: str
    measure: str
    mean: Estimate = Field(description="mean over seeds; 95 % interval by Student's t")
    sd: float = Field(ge=0, description="standard deviation over seeds (n - 1)")
    by_seed: tuple[float, ...]


class Difference(Frozen):
    """`first` less `second` on one metric, paired by seed."""

    measure: str
    first: str
    second: str
    difference: Estimate = Field(description="mean over seeds; 95 % interval of the paired t-test")
    p_value: float = Field(description="two-sided paired t-test over the seeds")
    p_adjusted: float = Field(description="Holm's, over all pairs of losses on this metric")
    detectable: float = Field(
        description="the true difference that this test finds 4 times in 5, at 5 % and with the "
        "spread seen here"
    )

    @property
    def significant(self) -> bool:
        """Whether the losses differ at 5 % after the correction."""
        return self.p_adjusted < 0.05


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


class Verdict(Frozen):
    """The answer for one goal, in plain words."""

    goal: Goal
    measure: str
    best: tuple[str, ...] = Field(
        description="the loss with the best mean, and those not told apart from it; simplest first"
    )
    prefer: str = Field(description="the simplest of `best`")
    tie: bool
    sentence: str


class ComparisonReport(Frozen):
    """All losses under one protocol, with several seeds each."""

    schema_version: Literal[1] = 1
    losses: tuple[str, ...] = Field(description="from the simplest to the least simple")
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
    figures: tuple[Figure, ...] = Field(
        default=(), description="at /report/figures/{name}.svg, in this order"
    )
    command: str
    commit: str | None
    versions: dict[str, str]
    hardware: str
    training_seconds: float = Field(description="of every trial and final run together")
    evaluated: datetime
