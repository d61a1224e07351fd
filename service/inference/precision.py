"""The graph of a model that answers, where it has one in int8 beside the one in float32."""

from collections.abc import Iterable
from time import perf_counter

from models.bundle import Bundle
from models.manifest import Precision
from service.inference.device import CPU
from service.inference.session import Session
from service.machine.hardware import multiplies_int8
from service.settings import PrecisionChoice

_FASTER = 0.9  # of float32's time, that int8 may take at most to be chosen
_ROUNDS = 7


def precision_here(choice: PrecisionChoice) -> PrecisionChoice:
    """The choice, but float32 for auto where the processor has no instructions for int8."""
    return "float32" if choice == "auto" and not multiplies_int8() else choice


def is_faster(bundles: Iterable[Bundle]) -> bool:
    """Return whether these models' int8 graphs take less than 0.9 of float32's time, in all.

    Each runs its golden batch 7 times on one thread; the shortest time counts. Raises
    BundleDamaged.
    """
    times = [(_shortest_s(bundle, "float32"), _shortest_s(bundle, "int8")) for bundle in bundles]
    return sum(int8 for _, int8 in times) < _FASTER * sum(float32 for float32, _ in times)


def _shortest_s(bundle: Bundle, precision: Precision) -> float:
    session = Session(bundle, CPU, 1, precision=precision)
    images = bundle.golden().images
    session.run(images)
    times = []
    for _ in range(_ROUNDS):
        started = perf_counter()
        session.run(images)
        times.append(perf_counter() - started)
    return min(times)
