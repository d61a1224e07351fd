"""The cost of keeping and running a model."""

from pydantic import Field

from models.manifest import Frozen


class Latency(Frozen):
    """The ONNX session's time for one batch, decoded images in, arrays out."""

    batch: int = Field(ge=1)
    median_ms: float
    p95_ms: float
    runs: int = Field(ge=1, description="timed runs, after a warm-up")


class Cost(Frozen):
    """Size and speed of the exported graph, on the machine named."""

    model_bytes: int = Field(ge=1)
    parameters: int = Field(ge=1)
    latencies: tuple[Latency, ...]
    provider: str = Field(description="onnxruntime's execution provider")
    threads: int = Field(ge=1)
    hardware: str
