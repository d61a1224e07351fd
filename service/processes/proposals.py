"""A change of the models that all workers serve: proposed, prepared by each, taken up together.

The supervisor reads the registry and writes what it found as a proposal into the folder that the
workers share. Each worker loads what is new beside what it serves, and leaves word. When all have,
the proposal becomes what is served; where one cannot, it is withdrawn and nothing has changed.
"""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Literal, Protocol

import structlog

from models.atomic import replacing
from models.errors import ModelsError
from service.errors import ReloadRefused, ServiceError
from service.registry.published import PublishedModels

State = Literal["prepare", "serve", "withdrawn"]

HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # Windows has none

_FILE = "proposal.json"
_LOOK_S = 0.1
_PATIENCE_S = 120.0  # until all workers have loaded what is new
_PAUSE_S = 1.0  # before a worker that came too late tries again

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Proposal:
    """The models that all workers are to serve next; its number is their generation."""

    state: State
    published: PublishedModels
    reason: str | None = None  # why it was withdrawn

    @property
    def number(self) -> int:
        """Return its number, which counts up from 1."""
        return self.published.generation


class ModelChange(Protocol):
    """A worker that can change what it serves."""

    async def prepare(self, published: PublishedModels) -> None:
        """Load what is new. Raises a domain error where it cannot."""
        ...

    async def serve(self) -> None:
        """Serve what was prepared."""
        ...

    async def withdraw(self) -> None:
        """Forget what was prepared."""
        ...


class Proposer:
    """The supervisor's side: what is served, and what is to be."""

    def __init__(
        self,
        folder: Path,
        published: PublishedModels,
        read: Callable[[], PublishedModels],
        every_s: float | None = None,
    ) -> None:
        """Begin with what the workers serve first.

        `read` is what the registry holds now; with `every_s` it is read by itself so often.
        """
        self.published = published
        self._folder = folder
        self._read = read
        self._every_s = every_s
        self._next_s = monotonic() + (every_s or 0.0)
        self._latest = published  # proposed
        self._open: Proposal | None = None
        self._until = 0.0

    @property
    def busy(self) -> bool:
        """Return whether workers prepare what was proposed."""
        return self._open is not None

    def propose(self) -> None:
        """Propose what the registry holds now."""
        number = self._latest.generation + 1
        try:
            self._latest = replace(self._read(), generation=number)
        except (ModelsError, OSError) as error:
            self._latest = replace(self._latest, generation=number)
            self._settle(Proposal("withdrawn", self._latest, str(error)))
            return
        self._open, self._until = Proposal("prepare", self._latest), monotonic() + _PATIENCE_S
        _write(self._folder, self._open)

    def look(self, pids: Set[int]) -> None:
        """Settle what was proposed, once all of these workers have said whether they can."""
        if self._open is None:
            if self._changed():
                self.propose()
            return
        answers = {pid: _answer(self._folder, self._open.number, pid) for pid in pids}
        refusals = sorted(answer for answer in answers.values() if answer)
        if refusals:
            self._settle(replace(self._open, state="withdrawn", reason=refusals[0]))
        elif pids and None not in answers.values():
            self._settle(replace(self._open, state="serve"))
        elif monotonic() > self._until:
            reason = f"not all workers had loaded it after {_PATIENCE_S:.0f} s"
            self._settle(replace(self._open, state="withdrawn", reason=reason))

    def _changed(self) -> bool:
        """Look at the registry where it is time to."""
        if self._every_s is None or monotonic() < self._next_s:
            return False
        self._next_s = monotonic() + self._every_s
        with suppress(ModelsError, OSError):  # whoever asks for a reload learns it
            return not self._read().chooses_as(self._latest)
        return False

    def _settle(self, proposal: Proposal) -> None:
        self._open = None
        if proposal.state == "serve":
            self.published = proposal.published
            log.info("models changed", answering=dict(proposal.published.defaults))
        else:
            log.error("models not changed", reason=proposal.reason)
        _write(self._folder, proposal)


async def follow_proposals(folder: Path, worker: ModelChange, served: int) -> None:
    """Prepare and serve what the supervisor proposes, for as long as this is not cancelled.

    `served` is the generation that the worker began with. A proposal that came into force while it
    started is taken up as well.
    """
    prepared = served
    while True:
        await asyncio.sleep(_LOOK_S)
        proposal = _read(folder)
        if proposal is None or proposal.number <= served:
            continue
        if proposal.state == "withdrawn":
            await worker.withdraw()
            served = proposal.number
            continue
        if prepared != proposal.number:
            reason = await _prepare(worker, proposal)
            if proposal.state == "prepare":
                _leave_answer(folder, proposal.number, reason)
            elif reason:
                log.error("a worker cannot serve what the others do", reason=reason)
                await asyncio.sleep(_PAUSE_S)
                continue
            prepared = proposal.number
        if proposal.state == "serve":
            await worker.serve()
            served = proposal.number


class ReloadTogether:
    """A worker's way to ask its supervisor for a change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def reload(self) -> PublishedModels:
        """Have all workers serve what the registry holds now. Raises ReloadRefused."""
        number = _number(self._folder)
        if HANGUP is None:
            raise ReloadRefused("this system has no SIGHUP; restart the service")
        os.kill(os.getppid(), HANGUP)
        for _ in range(round((_PATIENCE_S + 10) / _LOOK_S)):
            await asyncio.sleep(_LOOK_S)
            found = _read(self._folder)
            if found is not None and found.number > number and found.state != "prepare":
                break
        else:
            raise ReloadRefused("the supervisor has not answered")
        if found.state == "withdrawn":
            raise ReloadRefused(found.reason or "it was withdrawn")
        await asyncio.sleep(2 * _LOOK_S)  # each worker has looked by then
        return found.published


async def _prepare(worker: ModelChange, proposal: Proposal) -> str:
    """Prepare it; return why it cannot be served, empty where it can."""
    try:
        await worker.prepare(proposal.published)
    except (ModelsError, ServiceError, OSError) as error:
        return str(error) or type(error).__name__
    return ""


def _number(folder: Path) -> int:
    found = _read(folder)
    return 0 if found is None else found.number


def _write(folder: Path, proposal: Proposal) -> None:
    content = {
        "state": proposal.state,
        "reason": proposal.reason,
        "published": proposal.published.as_json(),
    }
    with replacing(folder / _FILE) as file:
        file.write_text(json.dumps(content))


def _read(folder: Path) -> Proposal | None:
    try:
        content = json.loads((folder / _FILE).read_text())
    except FileNotFoundError:
        return None
    published = PublishedModels.from_json(content["published"])
    return Proposal(content["state"], published, content["reason"])


def _leave_answer(folder: Path, number: int, reason: str) -> None:
    with suppress(FileNotFoundError):
        (folder / f"answer-{number - 1}-{os.getpid()}").unlink()
    with replacing(folder / f"answer-{number}-{os.getpid()}") as file:
        file.write_text(reason)


def _answer(folder: Path, number: int, pid: int) -> str | None:
    try:
        return (folder / f"answer-{number}-{pid}").read_text()
    except FileNotFoundError:
        return None
