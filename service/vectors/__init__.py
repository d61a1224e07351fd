"""Nearest neighbors: one protocol, and the engines behind it."""

from service.vectors.exact import ExactIndex
from service.vectors.ivfpq import Fetch
from service.vectors.kinds import IndexSpec, Kind, KindInUse, choose
from service.vectors.local import LocalIndex
from service.vectors.protocol import Hits, Rows, VectorIndex, Vectors

__all__ = [
    "ExactIndex",
    "Fetch",
    "Hits",
    "IndexSpec",
    "Kind",
    "KindInUse",
    "LocalIndex",
    "Rows",
    "VectorIndex",
    "Vectors",
    "choose",
]
