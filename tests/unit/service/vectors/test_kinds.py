from dataclasses import replace

import pytest

from service.vectors import IndexSpec, Kind, choose
from service.vectors.kinds import hnsw_bytes

AUTO = IndexSpec(64, "cosine", memory_limit_bytes=hnsw_bytes(64, 1_000_000))


@pytest.mark.parametrize(
    ("n", "kind"),
    [
        (0, "exact"),
        (49_999, "exact"),
        (50_000, "hnsw"),
        (1_000_000, "hnsw"),
        (1_000_001, "compact"),
    ],
)
def test_auto_goes_by_size_and_then_by_memory(n: int, kind: str) -> None:
    assert choose(AUTO, n) == kind


@pytest.mark.parametrize("kind", ["exact", "hnsw", "compact"])
@pytest.mark.parametrize("n", [0, 10_000_000])
def test_a_kind_that_was_asked_for_is_taken_whatever_the_size(kind: Kind, n: int) -> None:
    assert choose(replace(AUTO, kind=kind), n) == kind
