"""One loss's forward and backward: its time, and the most memory that PyTorch held."""

import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.training.peers import PEERS
from benchmarks.training.results import LossJob, LossRun
from training.losses import make_loss

DIMENSION = 64
_WARM_UP = 3
_SPREAD = 0.5  # of class means beside noise of 1: some triplets are semi-hard, as in training
_SMALLEST_K = 4


def measure(job: LossJob) -> LossRun:
    """In this process, whose address space is limited from here on."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    step = _step(_loss(job), *_batch(job))
    _limit(job.limit_mib)
    try:
        value = step()  # what does not fit shows here
        timings = _timed(step, job)
        allocated = _most_allocated(step)
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error):
            raise
        return too_much(job)
    return LossRun(
        job=job,
        median_ms=1000 * median(timings),
        least_ms=1000 * min(timings),
        repeats=len(timings),
        allocated_bytes=allocated,
        value=value,
    )


def too_much(job: LossJob) -> LossRun:
    """Describe a job that did not fit into its memory or time."""
    return LossRun(
        job=job, median_ms=None, least_ms=None, repeats=0, allocated_bytes=None, value=None
    )


def _loss(job: LossJob) -> nn.Module:
    if job.side == "peer":
        return PEERS[job.loss](job.classes, DIMENSION)
    ours = make_loss(job.loss, job.classes, DIMENSION, {})
    ours.ramp(1.0)
    return ours


def _batch(job: LossJob) -> tuple[Tensor, Tensor]:
    """P x K: as many classes as have at least four embeddings."""
    labels = torch.arange(job.batch) % min(job.classes, job.batch // _SMALLEST_K)
    means = _SPREAD * torch.randn(job.classes, DIMENSION)
    return torch.randn(job.batch, DIMENSION) + means[labels], labels


def _step(loss: nn.Module, embeddings: Tensor, labels: Tensor) -> Callable[[], float]:
    leaves = [embeddings.requires_grad_(), *loss.parameters()]

    def step() -> float:
        value: Tensor = loss(embeddings, labels)
        value.backward()  # type: ignore[no-untyped-call]
        for leaf in leaves:
            leaf.grad = None
        return value.item()

    return step


def _timed(step: Callable[[], float], job: LossJob) -> list[float]:
    until = time.perf_counter() + job.seconds
    timings: list[float] = []
    for number in range(_WARM_UP + job.repeats):
        start = time.perf_counter()
        step()
        timings.append(time.perf_counter() - start)
        if number >= _WARM_UP and time.perf_counter() > until:
            break
    return timings[_WARM_UP:]


def _most_allocated(step: Callable[[], float]) -> int:
    """By the profiler's record of every allocation, which is exact where RSS is not."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        step()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        found.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    held, most = 0, 0
    memory = (event for event in events if event.get("name") == "[memory]")
    for event in sorted(memory, key=lambda one: float(one["ts"])):
        held += int(event["args"]["Bytes"])
        most = max(most, held)
    return most


def _limit(mib: int) -> None:
    """A loss that wants more fails by itself, and takes no memory from others."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
