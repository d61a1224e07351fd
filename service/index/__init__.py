"""Nearest neighbours: one protocol, and the engines behind it."""

from service.index.flat import FlatIndex
from service.index.protocol import Hits, VectorIndex

__all__ = ["FlatIndex", "Hits", "VectorIndex"]
