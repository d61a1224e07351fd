"""The weights of a checkpoint that the run keeps."""

from collections.abc import Mapping
from typing import Any


def kept_weights(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The embedder's state that a run keeps: its best epoch's, else the average, else the last."""
    kept = checkpoint.get("kept", {})  # runs from before there was a choice have only the last
    chosen: dict[str, Any] = kept.get("best") or kept.get("average") or checkpoint["embedder"]
    return chosen
