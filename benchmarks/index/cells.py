"""Numbers in the cells of tables."""

from benchmarks.measured import Percentiles

_MIB = 1 << 20


def whole(number: float) -> str:
    """12,345."""
    return f"{number:,.0f}"


def each(total_bytes: float, count: int) -> str:
    """Bytes an item."""
    return f"{total_bytes / count:,.0f} B"


def mib(number: float) -> str:
    """Bytes as MiB."""
    return f"{number / _MIB:,.0f} MiB" if number >= 10 * _MIB else f"{number / _MIB:.1f} MiB"


def seconds(number: float) -> str:
    """Three digits of seconds, or of milliseconds."""
    return f"{number:.3g} s" if number >= 1 else f"{1000 * number:.3g} ms"


def latency(found: Percentiles) -> str:
    """Its middle and its tail, in milliseconds."""
    return f"{found.p50_ms:.3g} / {found.p99_ms:.3g} ms"


def signed(share: float) -> str:
    """+1.2 %."""
    return f"{100 * share:+.1f} %"
