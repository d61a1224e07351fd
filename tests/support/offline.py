"""Run a command that may answer on a socket and never look a name up.

`python -m tests.support.offline COMMAND...` has the kernel kill the command, and whatever it
starts, at the first datagram socket of the internet: that is how a name's address is asked for.
Linux only.
"""

import ctypes
import os
import platform
import struct
import sys

SUPPORTED = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")

_SOCKET_CALL = {"x86_64": 41, "aarch64": 198}
_INET, _INET6, _DGRAM, _TYPE_MASK = 2, 10, 2, 0xF
_LOAD, _EQUAL, _AND, _RETURN = 0x20, 0x15, 0x54, 0x06  # of classic BPF
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_CALL, _FAMILY, _TYPE = 0, 16, 24  # offsets in seccomp_data
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2


def go_offline() -> None:
    """Let the kernel end this process where it would ask for a name's address."""
    program = [
        (_LOAD, 0, 0, _CALL),
        (_EQUAL, 0, 6, _SOCKET_CALL[platform.machine()]),
        (_LOAD, 0, 0, _FAMILY),
        (_EQUAL, 1, 0, _INET),
        (_EQUAL, 0, 3, _INET6),
        (_LOAD, 0, 0, _TYPE),
        (_AND, 0, 0, _TYPE_MASK),
        (_EQUAL, 1, 0, _DGRAM),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL),
    ]
    packed = b"".join(struct.pack("HBBI", *step) for step in program)
    steps = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("HP", len(program), ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (_SET_SECCOMP, _FILTER, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    go_offline()
    os.execvp(sys.argv[1], sys.argv[1:])
