"""The environment's variables that look like settings: ours, Kubernetes', and mistakes."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

# What Kubernetes gives every container for each service of its namespace, here for services that
# are called lossatlas or lossatlas-something (kubernetes.io, "Accessing the Service").
_SERVICE = re.compile(r"\w+_SERVICE_(HOST|PORT(_\w+)?)")
_ADDRESS = re.compile(r"\w+_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")
_LINK = re.compile(r"(tcp|udp|sctp)://\S+", re.IGNORECASE)
_PART = re.compile(r"\w+_PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)")


def from_kubernetes(environment: Mapping[str, str], prefix: str) -> list[str]:
    """The variables of that prefix that Kubernetes injected: they are no settings of ours.

    `LOSSATLAS_PORT` is one of them where its value is an address, tcp://10.0.0.1:80.
    """
    ours = {name: value for name, value in environment.items() if name.upper().startswith(prefix)}
    return sorted(name for name, value in ours.items() if _is_injected(name.upper(), value))


def unknown(names: Iterable[str], known: Iterable[str]) -> str | None:
    """One line on the names that are not known, each with the nearest that is."""
    choices = sorted(known)
    wrong = sorted(name for name in names if name.upper() not in choices)
    if not wrong:
        return None
    shown = ", ".join(f"{name}{_nearest(name, choices)}" for name in wrong)
    return f"unknown setting {shown}; unset it, or use one of {', '.join(choices)}"


def _is_injected(name: str, value: str) -> bool:
    if _SERVICE.fullmatch(name) or _PART.fullmatch(name):
        return True
    return bool(_ADDRESS.fullmatch(name) and _LINK.fullmatch(value))


def _nearest(name: str, choices: list[str]) -> str:
    found = get_close_matches(name.upper(), choices, n=1)
    return f" (did you mean {found[0]}?)" if found else ""
