"""What is the same for every loss in a comparison."""

from pydantic import Field

from models.comparison import GoalMeasures
from models.manifest import Frozen
from training.comparison.catalog import GOALS
from training.config import Recipe
from training.tune import Budget

START_SEED = 0


class Protocol(Frozen):
    """One trunk, optimiser, embedding size and budget for all; only the loss differs."""

    backbone: str = "compact"
    embedding_size: int = Field(default=64, ge=1)
    size_px: int = Field(default=32, ge=8)
    batch_size: int = Field(default=256, ge=2)
    budget: Budget = Budget()
    seeds: int = Field(default=5, ge=2, description="final runs of each loss, seeds 0, 1, ...")
    epochs: int = Field(default=6, ge=1, description="of each final run")
    unknown_epochs: int = Field(
        default=4, ge=1, description="of each final run that leaves classes out"
    )
    goals: tuple[GoalMeasures, ...] = Field(
        default=GOALS, description="what decides each goal, named before any run"
    )

    def start(self, loss: str) -> Recipe:
        """The first trial of a loss: the loss's default parameters in the common recipe."""
        return Recipe(
            loss=loss,
            backbone=self.backbone,
            embedding_size=self.embedding_size,
            size_px=self.size_px,
            batch_size=self.batch_size,
            epochs=self.epochs,
            seed=START_SEED,
        )
