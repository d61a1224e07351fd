"""A query among items, wherever they are."""

from dataclasses import dataclass

from service.vectors.filters import Where


@dataclass(frozen=True)
class Search:
    """The query, apart from its vectors."""

    k: int
    where: Where = ()
    min_score: float | None = None
    without: tuple[str, ...] = ()  # one id for each query, which is no hit of that query; or empty
