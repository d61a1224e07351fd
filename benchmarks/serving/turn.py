"""One server's turn in one round: start, check, then every load that the settings ask for."""

from collections.abc import Sequence

from benchmarks.serving import correctness
from benchmarks.serving.correctness import Reference
from benchmarks.serving.driver import Target
from benchmarks.serving.loads import Load, Turn
from benchmarks.serving.results import Answers, Check, StartRun
from benchmarks.serving.running import Running, ServerFailed, ask, running
from benchmarks.serving.sample import Kept
from benchmarks.serving.wire import BadAnswer

_CHECKED_REQUESTS = 32


def take(turn: Turn, references: Sequence[Reference]) -> None:
    """Measure every workload; a server that is wrong or broken is reported, not timed."""
    image = references[0].workload.images[0]
    try:
        with running(turn.server, image, turn.settings.server_cpus) as live:
            _note_start(turn, live)
            loads = [load for one in references if (load := _prove(turn, live, one))]
            _measure(turn, loads)
    except ServerFailed as error:
        for one in references:
            _note_answers(turn, one, correctness.wrong(str(error)))


def _measure(turn: Turn, loads: Sequence[Load]) -> None:
    bests = [load.closed() for load in loads]
    if "open" in turn.settings.loops:
        for load, best in zip(loads, bests, strict=True):
            load.open(best)
    if "overload" in turn.settings.loops:
        for load, best in zip(loads, bests, strict=True):
            load.overload(best)


def _note_start(turn: Turn, live: Running) -> None:
    ready_s, memory = round(live.ready_s, 3), live.memory()
    start = StartRun(server=turn.server.name, round=turn.round, ready_s=ready_s, memory=memory)
    turn.found.starts.append(start)


def _note_answers(turn: Turn, reference: Reference, answers: Answers) -> None:
    check = Check(**turn.cell(reference.workload.name), answers=answers)
    turn.found.checks.append(check)


def _prove(turn: Turn, live: Running, reference: Reference) -> Load | None:
    """Return the load for the server, where its answers are right."""
    workload = reference.workload
    requests = [
        turn.server.request([workload.images[index] for index in request])
        for request in workload.requests
    ]
    chosen = range(min(_CHECKED_REQUESTS, len(requests)))
    try:
        kept = [Kept(index, ask(live.address, requests[index])) for index in chosen]
        answers = reference.judge(kept)
    except (OSError, ServerFailed, BadAnswer) as error:
        answers = correctness.wrong(str(error))
    _note_answers(turn, reference, answers)
    if answers.problem is not None:
        return None
    lengths = correctness.plausible_lengths([answer.body for answer in kept])
    return Load(turn, live, reference, Target(live.address, requests, lengths))
