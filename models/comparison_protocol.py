"""The protocol of a comparison: its measures, its goals, and what tuning tried and chose."""

from typing import Literal

from pydantic import Field, JsonValue

from models.manifest import Frozen

Goal = Literal[
    "classify",
    "retrieve",
    "retrieve unseen classes",
    "verify",
    "reject unknowns",
    "be calibrated",
]
ImageVariance = Literal["paired resamples", "bound", "not included"]


class Trial(Frozen):
    """One set of values that tuning tried."""

    values: dict[str, float]
    tuning_accuracy: float | None = Field(description="in 0..1; null where the trial diverged")


class Searched(Frozen):
    """The range of a tuned value."""

    low: float
    high: float
    logarithmic: bool


class Tuned(Frozen):
    """The trials of a loss, and the choice among them."""

    loss: str
    trials: tuple[Trial, ...]
    chosen: dict[str, float]
    searched: dict[str, Searched] = Field(default={}, description="the range of each value")
    at_edge: tuple[str, ...] = Field(
        default=(),
        description="chosen values in the outer tenth of their range, where the best may lie "
        "outside of it",
    )
    drawn: int | None = Field(
        default=None,
        description="trials before the sampler modeled what they came to: the start and random "
        "draws of this loss alone; null where it was not recorded",
    )


class GoalMeasures(Frozen):
    """The measure that decides a goal, and those that it is held against; named before the runs."""

    goal: Goal
    primary: str
    secondary: tuple[str, ...]


class Protocol(Frozen):
    """The protocol that was the same for every loss."""

    backbone: str
    embedding_size: int
    batch_size: int
    optimiser: str
    precision: str | None = Field(
        default=None, description="of the network in training; null where it was not recorded"
    )
    recipe: dict[str, JsonValue] = Field(
        default={},
        description="what all runs had in common, by the recipe's names; empty where it was not "
        "recorded",
    )
    trials: int = Field(description="of tuning, for the loss with the fewest")
    trials_per_value: int | None = Field(
        default=None,
        description="of tuning, for each searched value; null where every loss has `trials`",
    )
    tuning_epochs: int = Field(description="of each trial")
    tuning_images: int | None = Field(
        default=None, description="training images that tuning chose by, held out with seed 0"
    )
    goals: tuple[GoalMeasures, ...] = ()
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
    secondary_to: Goal | None = Field(
        default=None, description="the goal whose verdict is held against this measure, if any"
    )
    image_variance: ImageVariance = Field(
        default="not included",
        description="what intervals and tests know of the draw of the test images: how the measure "
        "moves over the same resamples for every run; an upper bound; or nothing, and then they "
        "hold for these test images alone",
    )
