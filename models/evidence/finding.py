"""A finding of the loss doctor in a model's training."""

from typing import Literal

from pydantic import Field

from models.manifest import Frozen


class Finding(Frozen):
    """Something that went wrong in a training run, in a sentence that can be acted on."""

    detector: str = Field(description="its name in docs/doctor.md")
    epoch: int = Field(ge=1, description="the epoch that was running or had just ended")
    step: int | None = Field(
        default=None, ge=1, description="the step inside the epoch; absent for a whole epoch"
    )
    severity: Literal["warning", "stop"] = Field(description="`stop` ended the training")
    degree: float = Field(
        default=1.0,
        gt=0,
        description="how bad, in the detector's own unit; it speaks again when this has doubled",
    )
    sentence: str = Field(description="what was seen, why it matters and what to change")
