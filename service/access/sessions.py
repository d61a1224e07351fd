"""Sign-in of browsers: a signed cookie that stands for the API key, and a limit to wrong keys."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic, time

COOKIE = "lossatlas_session"
LIFE_S = 12 * 3600
_ROUNDS = 200_000  # a stolen cookie is not to give the key away
_WRONG_KEYS = 10
_PAUSE_S = 60
_MOST_SENDERS = 4096


class Sessions:
    """Cookies of one API key. They need no memory: every worker knows those of the others.

    A cookie is the second at which it ends and a keyed hash of that. Another key makes all of them
    void.

    >>> sessions = Sessions("hush")
    >>> sessions.is_valid(sessions.new()), sessions.is_valid("1.0123")
    (True, False)
    """

    def __init__(self, key: str, now: Callable[[], float] = time) -> None:
        self._secret = hashlib.pbkdf2_hmac("sha256", key.encode(), b"lossatlas session", _ROUNDS)
        self._now = now

    def new(self) -> str:
        """Return the value of a cookie that is valid from now on."""
        end = str(int(self._now()) + LIFE_S)
        return f"{end}.{self._signature(end)}"

    def is_valid(self, value: str) -> bool:
        """Return whether it was made here and has not ended."""
        end, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(end).encode()):
            return False
        return int(end) > self._now()

    def _signature(self, end: str) -> str:
        return hmac.new(self._secret, end.encode(), "sha256").hexdigest()


class WrongKeys:
    """Wrong keys of each sender: after so many, none of its keys is looked at for a minute.

    Each process counts for itself. It remembers the senders that failed last, and no more of them
    than its limit.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, sender: str) -> int:
        """Return the seconds until its next key is looked at; 0 where that is now."""
        count, since = self._failed.get(sender, (0, 0.0))
        left = since + _PAUSE_S - self._now()
        if left <= 0:
            self._failed.pop(sender, None)
        return int(left) + 1 if count >= _WRONG_KEYS and left > 0 else 0

    def note(self, sender: str) -> None:
        """Count a wrong key."""
        count, since = self._failed.pop(sender, (0, self._now()))
        self._failed[sender] = (count + 1, since)
        while len(self._failed) > _MOST_SENDERS:
            self._failed.popitem(last=False)
