"""The limit of open files of this process, and whether it is reached."""

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
    """Return the most clients of one process: half of its handles are for files."""
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
    """Return whether no further file can be opened now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in OUT_OF_HANDLES
    return False


def is_passing(error: BaseException) -> bool:
    """Return whether it was for want of handles or memory, or a device's fault, which may pass."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return True
        if isinstance(cause, OSError) and cause.errno in _PASSING:
            return True
        cause = cause.__cause__
    return out_of_handles()
