"""The errors of access: who may ask, and from where. Facts only."""

from service.errors import ServiceError


class Unauthorized(ServiceError):
    """An API key is set and the request does not carry it."""

    def __init__(self) -> None:
        super().__init__("send the API key as 'Authorization: Bearer <key>'")


class AdminClosed(ServiceError):
    """No key for administration is set."""

    def __init__(self) -> None:
        super().__init__("administration is closed; start the service with LOSSATLAS_ADMIN_KEY")


class AdminKeyNeeded(ServiceError):
    """The request does not carry the key for administration."""

    def __init__(self) -> None:
        super().__init__("send the admin key as 'Authorization: Bearer <key>'")


class InvalidHost(ServiceError):
    """The request does not name one host that it is for."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason:.300}; send one Host header with a name and, at most, a port")
        self.reason = reason[:300]


class HostNotAllowed(ServiceError):
    """The request is for a name that is not one of the service's, and no API key is set."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host!r} is not a name of this service; use localhost or its IP address, or start it "
            f"with LOSSATLAS_ALLOWED_HOSTS={host} or with an API key"
        )
        self.host = host


class CrossSite(ServiceError):
    """A page of another site wants to write through its visitor's browser."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"a page of another site (origin {origin[:300]!r}) may not send this through a "
            "browser; send it from a program or from the service's own pages"
        )
        self.origin = origin[:300]


class WrongKey(ServiceError):
    """The form to sign in was sent with another key than the service's."""

    def __init__(self, return_to: str) -> None:
        super().__init__("the API key is not the one of this service")
        self.return_to = return_to


class TooManySignIns(ServiceError):
    """One sender sent too many wrong keys."""

    def __init__(self, retry_after_s: int, return_to: str) -> None:
        super().__init__(f"too many wrong API keys from here; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s
        self.return_to = return_to
