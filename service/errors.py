"""The errors of serving. Facts only: no HTTP, no status codes.

An error's public attributes are its facts; `service.http.responses.errors` shows them to the
client.
"""


class ServiceError(Exception):
    """Base of every error that a request can meet."""


class BodyTooLarge(ServiceError):
    """The request's body has more bytes than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is over the limit of {limit:,} bytes")
        self.limit = limit


class ExpandsTooMuch(ServiceError):
    """The body's Content-Encoding makes more of it than any honest body has."""

    def __init__(self, times: int) -> None:
        super().__init__(
            f"decoded, the body is over {times} times as large as it was sent; send it without "
            "Content-Encoding"
        )


class TooManyValues(ServiceError):
    """The JSON body has more values than the limit, which take long to parse."""

    def __init__(self, limit: int, what: str) -> None:
        super().__init__(
            f"the JSON has more than {limit:,} {what}; send vectors as base64, or several requests"
        )
        self.limit = limit


class PrecisionMismatch(ServiceError):
    """Vectors of one precision are looked for among those of another, which finds others."""

    def __init__(self, where: str, made_in: str, answering: str) -> None:
        super().__init__(
            f"{where} was embedded in {made_in}, and the service answers in {answering}, which "
            f"finds other neighbors there; start it with --precision {made_in}, or send vectors"
        )
        self.where = where
        self.made_in = made_in
        self.answering = answering


class VectorsOfAnotherModel(ServiceError):
    """Vectors come from a model of another hash than the one that is asked about them."""

    def __init__(self, name: str, version: int, given: str) -> None:
        super().__init__(
            f"model_sha256 must be that of {name}/{version} (got {given[:12]}…); name the model "
            "that made the vectors with loss and version"
        )
        self.made_by = f"{name}/{version}"
        self.given = given


class PairsNotMeasured(ServiceError):
    """The model was published without a calibration of pairs."""

    def __init__(self, name: str, version: int, data: str) -> None:
        self.command = (
            f"python -m training reevaluate --only pairs --model models/registry/{name}/{version} "
            f"--data {data}"
        )
        super().__init__(
            f"the report of {name}/{version} has no section on pairs, so nothing says which score "
            f"means the same class; make it: {self.command}, then restart the service"
        )
        self.name = name
        self.version = version


class PairsOfAnotherMetric(ServiceError):
    """A collection measures its vectors in another way than the model's pairs were measured."""

    def __init__(self, collection: str, metric: str, measured: str) -> None:
        super().__init__(
            f"collection {collection!r} has metric {metric}, and its model's pairs were calibrated "
            f"with metric {measured}; make a collection with metric {measured}"
        )
        self.collection = collection
        self.metric = metric
        self.measured = measured


class RateUnreachable(ServiceError):
    """No measured threshold has so low a rate of errors."""

    def __init__(self, rate: str, asked: float, nearest: float) -> None:
        super().__init__(
            f"{rate} must be at least {nearest:.3g}, the lowest that a measured threshold has (got "
            f"{asked:g}); ask for {rate}={nearest:.3g} or more"
        )
        self.rate = rate
        self.asked = asked
        self.nearest = nearest


class UnsupportedEncoding(ServiceError):
    """The body's content encoding is none that is decoded here."""

    def __init__(self, content_encoding: str, accepted: tuple[str, ...]) -> None:
        super().__init__(
            f"content encoding {content_encoding!r} is not accepted; send one of "
            f"{', '.join(accepted)}, or none"
        )
        self.content_encoding = content_encoding
        self.accepted = accepted


class BodiesFull(ServiceError):
    """The bodies of all requests in progress hold as many bytes as they may."""

    def __init__(self, limit: int, retry_after_s: int = 1) -> None:
        super().__init__(
            f"{limit:,} bytes of bodies may be in progress; this one would exceed that"
        )
        self.limit = limit
        self.retry_after_s = retry_after_s


class UnsupportedMediaType(ServiceError):
    """The body's content type is none that carries images."""

    def __init__(self, content_type: str, accepted: tuple[str, ...]) -> None:
        given = f"content type {content_type!r}" if content_type else "a body without content type"
        super().__init__(f"{given} is not accepted; send one of {', '.join(accepted)}")
        self.content_type = content_type
        self.accepted = accepted


class MalformedBody(ServiceError):
    """The body is not what its content type says, or has parts that mean nothing here."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoImage(ServiceError):
    """The body is well-formed and holds no image."""

    def __init__(self) -> None:
        super().__init__("the body holds no image")


class TooManyImages(ServiceError):
    """One request holds more images than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit:,} images in one request")
        self.limit = limit


class UndecodableImages(ServiceError):
    """Some images of the request are not complete images in an accepted format."""

    def __init__(self, indexes: tuple[int, ...], reasons: tuple[str, ...]) -> None:
        super().__init__(indexes, reasons)
        self.index = indexes[0]
        self.indexes = indexes

    def __str__(self) -> str:
        pairs = zip(self.indexes, self.reasons, strict=True)
        return "; ".join(f"image {i}: {reason}" for i, reason in pairs)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reason of each; the message says it, so that it is no fact of its own."""
        _, reasons = self.args
        return tuple(reasons)


class OversizedImages(ServiceError):
    """Some images of the request have more pixels than the limit."""

    def __init__(self, indexes: tuple[int, ...], limit: int) -> None:
        which = ", ".join(map(str, indexes))
        super().__init__(f"image {which}: over the limit of {limit:,} pixels")
        self.index = indexes[0]
        self.indexes = indexes
        self.limit = limit


class TooManyPixels(ServiceError):
    """The images of one request have more pixels together than the limit."""

    def __init__(self, pixels: int, limit: int) -> None:
        super().__init__(
            f"the images have {pixels:,} pixels together, those that take long counted for more; "
            f"the limit for this request is {limit:,}; send fewer at once, or smaller ones"
        )
        self.pixels = pixels
        self.limit = limit


class IndexUnavailable(ServiceError):
    """The engine that searches cannot be reached."""

    def __init__(self, reason: str, retry_after_s: int = 1) -> None:
        super().__init__(f"the vector index does not answer: {reason}")
        self.reason = reason
        self.retry_after_s = retry_after_s


class OnlyOneVersion(ServiceError):
    """Two versions of a model are to be compared that has one."""

    def __init__(self, loss: str, version: int) -> None:
        super().__init__(f"{loss} has one version, {version}; publish another to compare it with")
        self.loss = loss
        self.version = version


class ModelNotReady(ServiceError):
    """The model is published and still loading."""

    def __init__(self, name: str, version: int, retry_after_s: int = 1) -> None:
        super().__init__(f"model {name}/{version} is still loading")
        self.name = name
        self.version = version
        self.retry_after_s = retry_after_s


class Overloaded(ServiceError):
    """As much is in progress as can be answered in time; nothing of this request was done."""

    def __init__(self, limit: int, retry_after_s: int = 1, unit: str = "images") -> None:
        super().__init__(f"{limit:,} {unit} may be in progress; this request would exceed that")
        self.limit = limit
        self.retry_after_s = retry_after_s


class DeadlineExceeded(ServiceError):
    """The answer was not ready in time; whatever was still waiting has been dropped."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(f"no answer within {deadline_s:g} s")
        self.deadline_s = deadline_s


class TooManyOpenFiles(ServiceError):
    """The process holds as many files open as it may; nothing of this request was done."""

    def __init__(self, retry_after_s: int = 1) -> None:
        super().__init__(
            "the service holds as many files open as the system lets it; raise its limit of open "
            "files (ulimit -n)"
        )
        self.retry_after_s = retry_after_s


class Stopping(ServiceError):
    """The service is shutting down."""

    def __init__(self) -> None:
        super().__init__("the service is shutting down")


class ClientGone(ServiceError):
    """The client closed the connection; nobody reads this answer."""

    def __init__(self) -> None:
        super().__init__("the client closed the connection")


class ReloadRefused(ServiceError):
    """The registry holds what cannot be served; what was served before still is."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"nothing was changed: {reason}")
        self.reason = reason


class StartError(Exception):
    """Base of what keeps the service from starting; the message says what to do."""


class InvalidSettings(StartError):
    """A flag or an environment variable is unknown or has a value that is not allowed."""


class VersionUnavailable(StartError):
    """A version that is to answer by default is not published."""


class RegistryEmpty(StartError):
    """There is no published model to serve."""


class AddressTaken(StartError):
    """The address cannot be bound."""


class DeviceUnavailable(StartError):
    """The device that was asked for cannot run models here."""


class TracingUnavailable(StartError):
    """Tracing is asked for and its packages are not installed."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"tracing needs the extra 'tracing', which is not installed ({reason}); install it "
            "with 'uv pip install --extra tracing -r pyproject.toml', or set tracing to off"
        )


class DistributedUnavailable(StartError):
    """A distributed index is asked for and its packages are not installed."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"index_url milvus://... needs the extra 'distributed', which is not installed "
            f"({reason}); install it with 'uv pip install --extra distributed -r pyproject.toml', "
            "or set index_url to embedded"
        )
