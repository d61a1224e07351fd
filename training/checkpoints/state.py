"""The state of a training run, as its checkpoint keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.evidence.finding import Finding
from models.report import Epoch


@dataclass
class Progress:
    """The position of a run: `step` batches of epoch `epoch` (counted from 0) are done."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    history: list[Epoch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The number of the epoch with the highest tuning accuracy, the first of equals; else 0."""
        ranked = max(self.history, key=lambda epoch: epoch.tuning_accuracy, default=None)
        return ranked.epoch if ranked else 0

    def is_finished(self, epochs: int, patience: int) -> bool:
        """Return whether all `epochs` are done, or `patience` (0: any number) since the best."""
        waited = self.epoch - self.best_epoch
        return self.epoch >= epochs or 0 < patience <= waited

    def state(self) -> dict[str, Any]:
        """Plain values, for `torch.save`."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds,
            "history": [epoch.model_dump() for epoch in self.history],
            "findings": [finding.model_dump() for finding in self.findings],
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "Progress":
        """Read a position from `state`; runs from before the doctor have no findings."""
        history = [Epoch.model_validate(epoch) for epoch in state["history"]]
        findings = [Finding.model_validate(finding) for finding in state.get("findings", [])]
        return cls(**{**state, "history": history, "findings": findings})


def kept_weights(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The embedder's state that a run keeps: its best epoch's, else the average, else the last."""
    kept = checkpoint.get("kept", {})  # runs from before there was a choice have only the last
    chosen: dict[str, Any] = kept.get("best") or kept.get("average") or checkpoint["embedder"]
    return chosen
