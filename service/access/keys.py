"""The API key as it was set, and as requests are compared with it."""

import secrets
from collections.abc import Mapping

EMPTY = "the API key is empty; set a key, or unset it to let everybody in"


def ready_key(given: str) -> str:
    """The key without the white space around it, such as a file's last newline.

    Raises ValueError where nothing is left, and where a request's header could not carry it.
    """
    key = given.strip()
    if not key:
        raise ValueError(EMPTY)
    if not key.isprintable() or any(ord(letter) > 0xFF for letter in key):
        raise ValueError(
            "the API key has a control character or a letter beyond Latin-1, which no header can "
            "carry; use letters, digits and punctuation"
        )
    return key


def is_empty(environment: Mapping[str, str], name: str) -> bool:
    """Return whether the variable is set to nothing, which is more likely a slip than a wish."""
    return any(key.upper() == name and not value for key, value in environment.items())


class ApiKey:
    """The key that requests are compared with, in constant time."""

    def __init__(self, key: str) -> None:
        self._keys = {key.encode(), key.encode("latin-1")}  # clients differ

    def matches(self, given: bytes) -> bool:
        """Return whether it is the key, in either coding."""
        same = [secrets.compare_digest(given, key) for key in self._keys]
        return any(same)
