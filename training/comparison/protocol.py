"""The protocol of a comparison: the same for every loss."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from models.comparison_protocol import GoalMeasures
from models.manifest import Frozen
from training.common.machine import Computed
from training.comparison.catalog import GOALS
from training.comparison.other_sets import OtherSets
from training.recipes.recipe import Recipe
from training.tuning.space import OPTIMIZERS
from training.tuning.tune import Budget

START_SEED = 0
_OPTIMIZERS: Mapping[str, str] = {"adamw": "AdamW", "muon": "Muon for convolutions, AdamW else"}
_OF_THE_LOSS = frozenset(("loss", "parameters"))


class ComparisonProtocol(Frozen):
    """One network, recipe, precision and budget for all; only the loss differs."""

    recipes: tuple[Recipe, ...] = Field(
        min_length=2, description="the first trial of each loss, which tuning goes on from"
    )
    precision: Computed = Field(description="of the network in training")
    budget: Budget
    seeds: int = Field(default=5, ge=2, description="final runs of each loss, seeds 0, 1, ...")
    unknown_epochs: int = Field(ge=1, description="of each final run that leaves classes out")
    others: OtherSets = Field(
        default=OtherSets(), description="other data sets that runs are asked about"
    )
    goals: tuple[GoalMeasures, ...] = Field(
        default=GOALS, description="what decides each goal, named before any run"
    )

    @model_validator(mode="after")
    def _let_nothing_but_the_loss_differ(self) -> "ComparisonProtocol":
        common = [_common(one) for one in self.recipes]
        differ = sorted({name for one in common for name in one if one[name] != common[0][name]})
        if differ:
            raise ValueError(
                f"the losses' recipes differ in {', '.join(differ)}; name one recipe for all"
            )
        if len(set(self.losses)) < len(self.losses):
            raise ValueError("each loss is compared once")
        return self

    @property
    def losses(self) -> tuple[str, ...]:
        """Their names, in the order of tables."""
        return tuple(one.loss for one in self.recipes)

    @property
    def common(self) -> Recipe:
        """The recipe of the first loss, for what is the same in all of them."""
        return self.recipes[0]

    @property
    def optimizer(self) -> str:
        """The optimizer and its schedule, in words."""
        return f"{_OPTIMIZERS[self.common.optimizer]}, {self.common.schedule} learning rate"

    def start(self, loss: str) -> Recipe:
        """The first trial of a loss."""
        return self.recipes[self.losses.index(loss)]

    def stated(self) -> dict[str, Any]:
        """The recipe that all losses have in common, without what tuning chose."""
        return _common(self.common)

    def differences(self, other: "ComparisonProtocol") -> tuple[str, ...]:
        """The fields in which `other` differs from this earlier protocol.

        More seeds are more runs of the same protocol. So are other data sets where this one has
        none: runs that were measured before lack these measures, and the summary leaves them out.
        """
        free = {"seeds"} if self.others.named else {"seeds", "others"}
        fields = set(type(self).model_fields) - free
        return tuple(sorted(name for name in fields if getattr(self, name) != getattr(other, name)))


def _common(recipe: Recipe) -> dict[str, Any]:
    """All but the loss, its parameters and the optimizer's values that tuning searches."""
    own = _OF_THE_LOSS | OPTIMIZERS[recipe.optimizer].keys()
    return recipe.model_dump(mode="json", exclude=set(own))
