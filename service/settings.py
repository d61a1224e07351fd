"""Every setting of the service: built once at start, frozen, passed down."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.manifest import Name, is_name
from models.preprocess import MAX_PIXELS
from service.access.hosts import own_hosts
from service.access.keys import EMPTY, is_empty, ready_key
from service.errors import InvalidSettings
from service.machine.environment import from_kubernetes, unknown

PREFIX = "LOSSATLAS_"
PrecisionChoice = Literal["auto", "float32", "int8"]
Device = Literal["auto", "cuda", "tensorrt", "cpu"]

_INDEX_URL = re.compile(
    r"embedded|milvus(\+tls)?://([^\s:@/]+:[^\s:@/]+@)?([\w.-]+|\[[\da-fA-F:.]+\])(:(?P<port>\d+))?(/\w*)?"
)
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_LOGIN = re.compile(r"//.*@")


class Settings(BaseSettings):
    """The settings; environment variables carry the prefix LOSSATLAS_, an empty one is unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
    )

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    registry: Path = Field(Path("models/registry"), description="folder of published models")
    data_dir: Path = Field(Path("var"), description="folder for what the service writes")
    device: Device = Field(
        "auto", description="auto, cuda, tensorrt or cpu; only auto falls back to another"
    )
    precision: PrecisionChoice = Field(
        "auto", description="auto, float32 or int8: which graph answers where a model has several"
    )
    default_loss: Name = Field("arcface", description="model that answers where none is named")
    default_versions: str | None = Field(
        None,
        description="versions that answer where a request names none, such as arcface:2,softmax:1; "
        "unset, what is promoted in the registry, or else the newest",
    )
    reload_every_s: float | None = Field(
        None,
        ge=1,
        description="how often the registry is looked at for versions to serve; unset, on SIGHUP "
        "and POST /admin/reload only",
    )
    workers: int | None = Field(
        None,
        ge=1,
        le=256,
        description="processes behind the one port; unset, one for each processor up to 8, or one "
        "where there is a GPU",
    )
    max_body_bytes: int = Field(32 * 2**20, ge=1, description="largest request body, in bytes")
    max_inflight_bytes: int = Field(
        256 * 2**20,
        ge=1,
        description="most bytes of request bodies that one process holds; at least max_body_bytes",
    )
    max_connections: int | None = Field(
        None,
        ge=1,
        description="most connections of one process; unset, 32 less than half of the files that "
        "it may open",
    )
    max_target_bytes: int = Field(8192, ge=64, description="longest address with its query")
    max_headers: int = Field(128, ge=8, description="most headers of one request")
    max_header_bytes: int = Field(
        65536, ge=1024, description="most bytes in the headers of one request"
    )
    head_timeout_s: float = Field(
        20, gt=0, description="longest time for a request's headers to arrive, in seconds"
    )
    body_timeout_s: float = Field(
        30, gt=0, description="time after which a body must have come at min_bytes_per_s"
    )
    min_bytes_per_s: int = Field(
        4096, ge=0, description="slowest that a body may come, or an answer be taken"
    )
    keep_alive_s: float = Field(
        75, gt=0, description="how long a connection stays open without a request, in seconds"
    )
    max_images: int = Field(256, ge=1, description="most images in one request")
    max_pixels: int = Field(MAX_PIXELS, ge=1, description="most pixels in one image")
    max_request_pixels: int = Field(
        100_000_000,
        ge=1,
        description="most pixels in all images of one request, besides 64 for each of their bytes; "
        "those that take longer to decode count for more",
    )
    queue_items: int = Field(
        4096,
        ge=1,
        description="most images that one model holds, waiting or in work; fewer where they would "
        "take more than a third of deadline_s",
    )
    deadline_s: float = Field(30, gt=0, description="longest time to an answer, in seconds")
    api_key: SecretStr | None = Field(None, description="bearer key to ask for; unset is open")
    admin_key: SecretStr | None = Field(
        None, description="bearer key of /admin, which is closed while it is unset"
    )
    allowed_hosts: str | None = Field(
        None,
        description="further names of the service, with commas, as a proxy has them; asked only "
        "where there is no API key",
    )
    index_url: str = Field(
        "embedded",
        repr=False,  # it may have a password
        description="where collections are searched: embedded, or a Milvus server, "
        "milvus://host:19530",
    )
    stop_s: float = Field(
        8, ge=2, le=3600, description="longest time to stop in after SIGTERM or SIGINT, in seconds"
    )
    worker_timeout_s: float = Field(
        30,
        ge=2,
        le=3600,
        description="after how many seconds without a sign of life a process is ended as hung",
    )
    log_requests: Literal["failed", "all"] = Field(
        "failed", description="which requests get a line in the log: failed or all"
    )
    tracing: Literal["off", "otlp"] = Field(
        "off", description="off, or otlp to send OpenTelemetry spans where OTEL_* says"
    )
    log_format: Literal["console", "json"] = Field("console", description="console or json")

    @field_validator("api_key", "admin_key")
    @classmethod
    def _key_fits_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        return None if key is None else SecretStr(ready_key(key.get_secret_value()))

    @field_validator("default_versions")
    @classmethod
    def _versions_are_pairs(cls, versions: str | None) -> str | None:
        _pairs(versions)
        return versions

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, hosts: str | None) -> str | None:
        own_hosts("localhost", hosts)
        return hosts

    @field_validator("index_url")
    @classmethod
    def _index_url_is_known(cls, url: str) -> str:
        match = _INDEX_URL.fullmatch(url)
        if match is None or not 0 < int(match["port"] or 1) < 2**16:
            raise ValueError(
                "must be embedded, or milvus://host:19530 or milvus+tls://host:19530, with "
                "user:password@ before the host and /database after the port where Milvus has them"
            )
        return url

    @property
    def pinned_versions(self) -> dict[str, int]:
        """Return the version of each model in `default_versions`."""
        return _pairs(self.default_versions)

    @model_validator(mode="after")
    def _queue_holds_a_request(self) -> "Settings":
        if self.queue_items < self.max_images:
            raise ValueError(
                f"queue_items ({self.queue_items}) is less than max_images ({self.max_images}), "
                "so that a full request could never be taken"
            )
        return self


def _pairs(versions: str | None) -> dict[str, int]:
    pairs = {}
    for pair in (versions or "").split(","):
        name, _, number = pair.strip().partition(":")
        if pair.strip() and not (is_name(name) and _VERSION.fullmatch(number)):
            raise ValueError("must be models with their versions, such as arcface:2,softmax:1")
        if name in pairs:
            raise ValueError(f"names {name} twice")
        if name:
            pairs[name] = int(number)
    return pairs


def read_settings(flags: Mapping[str, str]) -> Settings:
    """Build the settings from flags (by field name) over this process's environment.

    Raises InvalidSettings with one line that names what is unknown or not allowed.
    """
    injected = from_kubernetes(os.environ, PREFIX)
    ours = {name for name in os.environ if name.upper().startswith(PREFIX)}.difference(injected)
    if wrong := unknown(ours, map(variable, Settings.model_fields)):
        raise InvalidSettings(wrong)
    for name in ("api_key", "admin_key"):
        if name not in flags and is_empty(os.environ, variable(name)):
            raise InvalidSettings(f"{variable(name)}: {EMPTY}")
    try:
        return Settings(**{**_defaults_for(injected), **flags})
    except ValidationError as error:
        raise InvalidSettings(_explain(error, flags)) from None


def variable(name: str) -> str:
    """The environment variable of a field: `port` is LOSSATLAS_PORT."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """The command line flag of a field: `max_images` is --max-images."""
    return "--" + name.replace("_", "-")


def to_environment(settings: Settings) -> dict[str, str]:
    """The same settings as environment variables, for worker processes."""
    values = settings.model_dump(exclude_none=True)
    for name in ("api_key", "admin_key"):
        if name in values:
            values[name] = values[name].get_secret_value()
    return {variable(name): str(value) for name, value in values.items()}


def _defaults_for(injected: Iterable[str]) -> dict[str, Any]:
    """The defaults of the fields whose variables carry what is not meant for us."""
    names = {name.upper() for name in injected}
    fields = Settings.model_fields.items()
    return {name: field.default for name, field in fields if variable(name) in names}


def _explain(error: ValidationError, flags: Mapping[str, str]) -> str:
    lines = []
    for fault in error.errors(include_url=False, include_context=False):
        name = str(fault["loc"][0]) if fault["loc"] else ""
        source = flag(name) if name in flags else variable(name)
        what = fault["msg"].removeprefix("Value error, ")
        shown = _LOGIN.sub("//...@", repr(fault["input"]))
        given = f", not {shown}" if name and name not in ("api_key", "admin_key") else ""
        lines.append(f"{source}: {what}{given}" if name else what)
    return "; ".join(lines)
