"""Run a command to which the permissions of files apply, also where root runs it.

`python -m tests.support.unprivileged COMMAND...` gives up the capabilities by which root passes
them over.
"""

import ctypes
import os
import sys

_DROP = 24  # PR_CAPBSET_DROP
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2


def respect_permissions() -> None:
    """Make what this process executes next subject to permissions."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH):
        if libc.prctl(_DROP, capability, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    if sys.platform == "linux" and os.geteuid() == 0:
        respect_permissions()
    os.execvp(sys.argv[1], sys.argv[1:])
