"""One version of one model: its state, and when loading it is tried again."""

import asyncio
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal

from models.errors import BundleDamaged
from service.errors import ModelNotReady
from service.inference.engine import Engine

State = Literal["published", "loading", "ready", "damaged"]

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


@dataclass
class RetrySchedule:
    """The failed attempts to load, and the time of the next: a failure may pass or be repaired."""

    failed: int = 0
    _next_s: float = 0.0

    def is_due(self) -> bool:
        """Return whether it may be tried now."""
        return monotonic() >= self._next_s

    def fail(self) -> None:
        """Count a failure; the pause after it is twice the one before."""
        self._next_s = monotonic() + min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self.failed)
        self.failed += 1


@dataclass
class ModelEntry:
    """One version of one model. What is not the default stays `published` until it is asked for."""

    name: str
    version: int
    is_default: bool  # answers where no version is named
    state: State
    reason: str | None = None
    engine: Engine | None = None
    attempts: RetrySchedule = field(default_factory=RetrySchedule, repr=False)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def facts(self) -> dict[str, str | int | None]:
        """Describe it: name, version, state, reason, provider and precision."""
        return {
            "name": self.name,
            "version": self.version,
            "state": self.state,
            "reason": self.reason,
            "provider": self.engine.provider if self.engine else None,
            "precision": self.engine.precision if self.engine else None,
        }

    def ready_engine(self) -> Engine:
        """The engine. Raises BundleDamaged or ModelNotReady where there is none."""
        if self.engine is not None:
            return self.engine
        if self.state == "damaged":
            raise BundleDamaged(self.name, self.version, self.reason or "unknown")
        raise ModelNotReady(self.name, self.version)
