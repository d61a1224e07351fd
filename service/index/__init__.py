"""Nearest neighbours: one protocol, and the engines behind it."""

from service.index.compact import Fetch
from service.index.exact import ExactIndex
from service.index.kinds import IndexSpec, Kind, KindInUse, choose
from service.index.local import LocalIndex
from service.index.protocol import Hits, Rows, VectorIndex, Vectors

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
