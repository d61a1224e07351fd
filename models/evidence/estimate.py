"""A measured number with its uncertainty."""

from pydantic import Field

from models.manifest import Frozen


class Estimate(Frozen):
    """A value and its 95 % interval; the section says how the interval was made."""

    value: float
    low: float = Field(description="lower end of the 95 % interval")
    high: float = Field(description="upper end of the 95 % interval")
