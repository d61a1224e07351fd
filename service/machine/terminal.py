"""The terminal that a process was started from, if any."""

import os
import sys


def has_terminal() -> bool:
    """Return whether this process has a terminal that can still be asked something."""
    try:
        return os.tcgetpgrp(sys.__stderr__.fileno() if sys.__stderr__ else 2) > 0
    except (OSError, ValueError, AttributeError):  # closed, no terminal, or another system
        return False
