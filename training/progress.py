"""Where a training run stands, and how it is kept in a checkpoint."""

from dataclasses import dataclass, field
from typing import Any

from models.evidence.finding import Finding
from models.report import Epoch


@dataclass
class Progress:
    """Where a run stands: `step` batches of epoch `epoch` (counted from 0) are done."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    history: list[Epoch] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

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
        """What `state` described; runs from before the doctor have no findings."""
        history = [Epoch.model_validate(epoch) for epoch in state["history"]]
        findings = [Finding.model_validate(finding) for finding in state.get("findings", [])]
        return cls(**{**state, "history": history, "findings": findings})
