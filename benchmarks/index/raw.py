"""FAISS as it comes, with the parameters that the service's index has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from jaxtyping import Bool, Int64

from benchmarks.index.spread import Vectors
from service.vectors.kinds import HNSW_EF_SEARCH, IVF_PROBES, LEAST_RERANKED, RERANKED_PER_HIT

_faiss: Any = faiss  # its stubs know neither keyword arguments nor what read_index finds
Parameters = Callable[[Any], Any]


@dataclass(frozen=True)
class Raw:
    """An index and how it is asked."""

    index: Any
    parameters: Parameters
    words: str

    def searcher(
        self, kept: Bool[np.ndarray, " n"], k: int
    ) -> Callable[[Vectors], Int64[np.ndarray, "q k"]]:
        """Finds rows of those that are kept, by FAISS's own selector."""
        bits = np.packbits(kept, bitorder="little")
        selector = None if kept.all() else _faiss.IDSelectorBitmap(bits)
        parameters = self.parameters(selector)

        def search(queries: Vectors) -> Int64[np.ndarray, "q k"]:
            rows: Int64[np.ndarray, "q k"] = self.index.search(queries, k, params=parameters)[1]
            return rows

        return search


def flat(vectors: Vectors) -> Raw:
    """Every vector, compared."""
    index = _faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.asarray(vectors))
    return Raw(index, lambda selector: _faiss.SearchParameters(sel=selector), "IndexFlatIP")


def hnsw(index: Any) -> Raw:
    """The very graph that the service searches."""
    graph = index.hnsw
    words = (
        f"IndexHNSWFlat, M {graph.nb_neighbors(1)}, efConstruction {graph.efConstruction}, "
        f"efSearch {HNSW_EF_SEARCH}"
    )

    def parameters(selector: Any) -> Any:
        return _faiss.SearchParametersHNSW(efSearch=HNSW_EF_SEARCH, sel=selector)

    return Raw(index, parameters, words)


def compact(coded: Any, vectors: Vectors, k: int) -> Raw:
    """The very codes that the service searches, its best re-ranked with vectors in memory."""
    kept = np.ascontiguousarray(vectors)  # until FAISS has copied it
    index = _faiss.IndexRefineFlat(coded, _faiss.swig_ptr(kept))
    factor = max(LEAST_RERANKED, RERANKED_PER_HIT * k) / k
    words = (
        f"IndexIVFPQ, {coded.nlist} lists, {coded.pq.M} codes of {coded.pq.nbits} bits, nprobe "
        f"{IVF_PROBES}; IndexRefineFlat, k_factor {factor:g}"
    )

    def parameters(selector: Any) -> Any:
        of_codes = _faiss.SearchParametersIVF(nprobe=IVF_PROBES, sel=selector)
        return _faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=of_codes)

    return Raw(index, parameters, words)
