"""The result of a run of the benchmark: the schema of its JSON file."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from benchmarks.measured import Machine, Milliseconds, Percentiles
from models.manifest import Frozen

Loop = Literal["closed", "open", "overload"]


class Settings(Frozen):
    """The settings of the measurement."""

    seconds: float = Field(gt=0, description="of each run of load")
    rounds: int = Field(ge=1, description="each measures every server once")
    loops: tuple[Loop, ...] = Field(description="the closed loop is always run")
    connections: tuple[int, ...]
    limit_ms: Milliseconds = Field(description="for the p99 of the open loop")
    probes: int = Field(ge=1, description="rates tried to find the highest within the limit")
    generator_cpus: tuple[int, ...] = Field(description="pinned to; empty: any")
    server_cpus: tuple[int, ...] = Field(description="pinned to; empty: any")


class WorkloadFacts(Frozen):
    """The facts of what was posted."""

    name: str
    title: str
    images: int = Field(ge=1, description="in one request")
    requests: int = Field(ge=1, description="different ones, sent in turn")
    mean_image_bytes: int


class DecodeCost(Frozen):
    """One way to decode an image and bring it to the model's input size, on one core."""

    way: str
    us: float = Field(description="for one image; median over the workload's images")
    cosine: float = Field(description="least, of the embedding to that of Pillow's full decode")


class Floor(Frozen):
    """The cost of an answer's parts by themselves, on one core, in microseconds."""

    workload: str
    decode: tuple[DecodeCost, ...]
    inference_us: dict[int, float] = Field(description="for one image, by batch size, one thread")
    json_us: float = Field(description="for one embedding, with orjson")
    http_us: float = Field(
        description="for one request, uvicorn with an application that does "
        "nothing; processor time of the server"
    )
    sum_us: float = Field(description="for one request, each part in its cheapest way")
    allowed_per_s: float = Field(description="requests: cores / sum")


class ServerFacts(Frozen):
    """The facts of a server."""

    name: str
    title: str
    command: str
    tuning: str


class Memory(Frozen):
    """Of all processes of a server together."""

    pss_mib: float = Field(description="shared pages divided between those who share them")
    rss_mib: float = Field(description="shared pages counted for each")
    processes: int


class StartRun(Frozen):
    """The start of a server."""

    server: str
    round: int
    ready_s: float = Field(description="from the process's start to its first right answer")
    memory: Memory


class Answers(Frozen):
    """Embeddings held against those of onnxruntime on pixels that Pillow decoded."""

    compared: int
    min_cosine: float | None = Field(description="none where nothing could be compared")
    problem: str | None = Field(description="why they are wrong; none where they are right")


class Cell(Frozen):
    """One measurement and its time."""

    server: str
    workload: str
    round: int


class Check(Cell):
    """The answers before the first run of load; a server with a problem is not timed."""

    answers: Answers


class ClosedRun(Cell):
    """Each connection sends its next request when its last one was answered."""

    connections: int
    sent: int
    rate_per_s: float = Field(description="good answers")
    latency: Percentiles | None
    failures: dict[str, int]
    server_cpu_ms: Milliseconds = Field(description="for one good answer; all its processes")
    generator_cpu_us: float = Field(description="for one request")
    memory: Memory
    answers: Answers = Field(description="of which some were kept during the run")


class Probe(Frozen):
    """One rate that was tried."""

    rate_per_s: float
    latency: Percentiles | None
    failures: dict[str, int]
    within_limit: bool


class OpenRun(Cell):
    """Poisson arrivals; latencies count from when a request should have been sent."""

    rate_per_s: float = Field(description="highest tried whose p99 was within the limit")
    probes: tuple[Probe, ...]


class OverloadRun(Cell):
    """Poisson arrivals at a multiple of what the server did in the closed loop."""

    best_per_s: float = Field(description="in the closed loop, this round")
    offered_per_s: float
    goodput_per_s: float
    refused: float = Field(ge=0, le=1, description="share of requests answered 503 or 429")
    failures: dict[str, int]
    accepted: Percentiles | None
    refusals: Percentiles | None
    generator_cores: float = Field(description="that the load took from the server")
    before: Memory
    after: Memory


class Report(Frozen):
    """One run of the benchmark."""

    schema_version: Literal[1] = 1
    command: str
    date: datetime
    commit: str | None = Field(description="of the code; with + where files differ from it")
    complete: bool = Field(description="false where it was interrupted")
    machine: Machine
    versions: dict[str, str]
    settings: Settings
    workloads: tuple[WorkloadFacts, ...]
    servers: tuple[ServerFacts, ...]
    floors: tuple[Floor, ...]
    starts: tuple[StartRun, ...]
    checks: tuple[Check, ...]
    closed: tuple[ClosedRun, ...]
    open: tuple[OpenRun, ...]
    overload: tuple[OverloadRun, ...]
