"""Ways to open a graph with onnxruntime, to be measured against each other."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import onnxruntime

_CPU = "CPUExecutionProvider"
_LEVELS = {
    "none": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


@dataclass(frozen=True)
class Variant:
    """One way to run the graph; the defaults are those of service/inference/session.py."""

    name: str
    lanes: int = 1  # threads that run a batch each
    threads: int = 1  # of one run
    spinning: bool = False
    arena: Literal["shared", "own", "none"] = "shared"
    growth: Literal["power of two", "as requested"] = "power of two"
    pattern: bool = True
    level: str = "all"
    denormals: bool = True
    outputs: tuple[str, ...] = ("embedding", "probabilities")


VARIANTS = (
    Variant("as served, one lane"),
    Variant("as served, two lanes", lanes=2),
    Variant("two threads a run", threads=2),
    Variant("two threads a run, spinning", threads=2, spinning=True),
    Variant("two lanes, an arena each model", lanes=2, arena="own"),
    Variant("two lanes, no arena", lanes=2, arena="none"),
    Variant("two lanes, no memory pattern", lanes=2, pattern=False),
    Variant("optimized: not", level="none"),
    Variant("optimized: basic", level="basic"),
    Variant("optimized: extended", level="extended"),
    Variant("denormals as zero", denormals=False),
    Variant("embedding alone", outputs=("embedding",)),
)
MEMORY = (
    Variant("as served"),
    Variant("no memory pattern", pattern=False),
    Variant("grows as requested", growth="as requested"),
    Variant("an arena each model", arena="own"),
    Variant("an arena each model, no memory pattern", arena="own", pattern=False),
    Variant("no arena", arena="none"),
    Variant("no arena, no memory pattern", arena="none", pattern=False),
)


def open_session(model: Path, variant: Variant) -> onnxruntime.InferenceSession:
    """The graph, opened in this way."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = variant.threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = variant.arena != "none"
    options.enable_mem_pattern = variant.pattern
    options.graph_optimization_level = _LEVELS[variant.level]
    for key, on in (
        ("session.intra_op.allow_spinning", variant.spinning),
        ("session.use_env_allocators", variant.arena == "shared"),
        ("session.set_denormal_as_zero", not variant.denormals),
    ):
        options.add_session_config_entry(key, str(int(on)))
    if variant.arena == "shared":
        _share_arena(variant.growth)
    return onnxruntime.InferenceSession(model, options, providers=[_CPU], enable_fallback=False)


@cache
def _share_arena(growth: str) -> None:
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    arena = onnxruntime.OrtArenaCfg(0, int(growth == "as requested"), -1, -1)
    onnxruntime.create_and_register_allocator(memory, arena)
