"""The errors of connections: requests that cannot be read, or come too slowly. Facts only."""

from service.errors import ServiceError


class MalformedRequest(ServiceError):
    """The bytes on the connection are no request of HTTP/1.1."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not a request of HTTP/1.1: {reason}")
        self.reason = reason


class IncompleteRequest(ServiceError):
    """The client closed its sending side before its request was complete."""

    def __init__(self) -> None:
        super().__init__("the client closed its sending side before its request was complete")


class UnsupportedRequest(ServiceError):
    """The request needs a part of HTTP that this service does not have."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedVersion(ServiceError):
    """The request is of a version of HTTP other than 1.0 and 1.1."""

    def __init__(self, version: str) -> None:
        super().__init__(f"HTTP/{version} is not spoken here; send HTTP/1.1")
        self.version = version


class TargetTooLong(ServiceError):
    """The request's address, with its query, has more bytes than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request target is over the limit of {limit:,} bytes")
        self.limit = limit


class HeadersTooLarge(ServiceError):
    """The request's headers, or what surrounds its chunks, are more than the limits allow."""

    def __init__(self, most_headers: int, limit: int) -> None:
        super().__init__(f"the headers are over the limit of {most_headers:,}, or {limit:,} bytes")
        self.most_headers = most_headers
        self.limit = limit


class HeadTimeout(ServiceError):
    """The head of a request did not arrive in time."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"the head of the request was not complete within {limit_s:g} s")
        self.limit_s = limit_s


class BodyTimeout(ServiceError):
    """The body of a request arrives too slowly."""

    def __init__(self, limit_s: float, least_bytes_per_s: int) -> None:
        super().__init__(
            f"for {limit_s:g} s the body brought less than {least_bytes_per_s:,} bytes a second"
        )
        self.limit_s = limit_s
        self.least_bytes_per_s = least_bytes_per_s
