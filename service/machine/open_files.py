"""How many files this process may hold open, and whether it has reached that."""

import os
import sys
from errno import EAGAIN, EIO, EMFILE, ENFILE, ENOMEM, ESTALE, ETIMEDOUT

if sys.platform != "win32":
    import resource

OUT_OF_HANDLES = frozenset({EMFILE, ENFILE})
_PASSING = OUT_OF_HANDLES | {EAGAIN, EIO, ENOMEM, ESTALE, ETIMEDOUT}
_WITHOUT_LIMIT = 1 << 20
_ENOUGH = 1 << 16
_LEAST_CONNECTIONS = 32


def most_handles() -> int:
    """The soft limit of open files (`ulimit -n`)."""
    if sys.platform == "win32":
        return _WITHOUT_LIMIT
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _WITHOUT_LIMIT if soft == resource.RLIM_INFINITY else min(soft, _WITHOUT_LIMIT)


def most_connections() -> int:
    """How many clients one process may be connected with: half of its handles are for files."""
    return max(_LEAST_CONNECTIONS, most_handles() // 2 - _LEAST_CONNECTIONS)


def raise_limit() -> None:
    """Let this process and its children open as many files as the hard limit allows.

    The soft one is often 1,024, for programs that use select().
    """
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def out_of_handles() -> bool:
    """Whether no further file can be opened now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in OUT_OF_HANDLES
    return False


def is_passing(error: BaseException) -> bool:
    """Whether it was for want of handles or memory, or of a device's answer, which may pass."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return True
        if isinstance(cause, OSError) and cause.errno in _PASSING:
            return True
        cause = cause.__cause__
    return out_of_handles()
