"""Advice for the page that shows a problem: the next thing to do."""

from collections.abc import Mapping

_BY_CODE: Mapping[str, str] = {
    "unauthorized": "Enter the API key. Whoever runs this service has it.",
    "wrong_key": "Check the key for a missing or an added letter, and enter it again.",
    "too_many_sign_ins": "Wait a minute, then enter the key again.",
    "cross_site": "Open the service's own page and do it there.",
    "host_not_allowed": "Use one of the service's own names, or have the name added to the setting "
    "LOSSATLAS_ALLOWED_HOSTS.",
    "not_ready": "Reload the page in a few seconds: the model is being loaded.",
    "overloaded": "Reload the page in a few seconds: others are being served.",
    "unknown_model": "Choose one from the list of models or of collections.",
    "not_found": "Check the address, or choose a page above.",
}
_BY_STATUS: Mapping[int, str] = {
    400: "Check the address and send the request again.",
    401: "Sign in.",
    403: "Do it from the service's own pages, or from a program with the key.",
    404: "Check the name in the address, or choose a page above.",
    405: "Open the page by its address instead; docs/api.md has the methods of each route.",
    408: "Send it again over a faster connection.",
    409: "Have whoever runs this service look at the files that are named.",
    413: "Send less in one request.",
    414: "Shorten the address.",
    415: "Send one of the types that are named.",
    421: "Use one of the service's own names.",
    422: "Change what is named, and send it again.",
    429: "Wait a minute, then try again.",
    431: "Delete the cookies of this address, and try again.",
    499: "Send it again.",
    500: "Try again. If it fails again, pass the request id to whoever runs this service: its log "
    "says more under it.",
    501: "Send it another way: the service does not know this part of HTTP.",
    503: "Try again in a few seconds.",
    504: "Try again, with less in one request.",
    505: "Send it as HTTP/1.1.",
    507: "Have whoever runs this service make room on its disk.",
}
_OTHERWISE = "Go back, and try another way."


def next_step(status: int, code: str) -> str:
    """The advice for one problem: by its code, else by its status."""
    return _BY_CODE.get(code) or _BY_STATUS.get(status, _OTHERWISE)


def is_covered(status: int, code: str) -> bool:
    """Return whether there is advice of its own for it."""
    return code in _BY_CODE or status in _BY_STATUS
