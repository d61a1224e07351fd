import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from service.errors import InvalidSettings
from service.machine.environment import from_kubernetes
from service.settings import PREFIX, Settings, flag, read_settings, to_environment, variable


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOSSATLAS_")]:
        monkeypatch.delenv(name)


def test_the_defaults_are_the_documented_ones() -> None:
    settings = read_settings({})
    assert settings.model_dump() == {
        "host": "127.0.0.1",
        "port": 8000,
        "registry": Path("models/registry"),
        "data_dir": Path("var"),
        "device": "auto",
        "precision": "auto",
        "default_loss": "arcface",
        "default_versions": None,
        "reload_every_s": None,
        "workers": None,
        "max_body_bytes": 32 * 1024 * 1024,
        "max_connections": None,
        "max_inflight_bytes": 256 * 1024 * 1024,
        "max_target_bytes": 8192,
        "max_headers": 128,
        "max_header_bytes": 65536,
        "head_timeout_s": 20,
        "body_timeout_s": 30,
        "min_bytes_per_s": 4096,
        "keep_alive_s": 75,
        "max_images": 256,
        "max_pixels": 50_000_000,
        "max_request_pixels": 100_000_000,
        "queue_items": 4096,
        "deadline_s": 30,
        "api_key": None,
        "admin_key": None,
        "allowed_hosts": None,
        "index_url": "embedded",
        "stop_s": 8,
        "worker_timeout_s": 30,
        "log_requests": "failed",
        "tracing": "off",
        "log_format": "console",
    }


def test_a_flag_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSATLAS_PORT", "1")
    monkeypatch.setenv("LOSSATLAS_MAX_IMAGES", "2")
    settings = read_settings({"port": "3"})
    assert (settings.port, settings.max_images) == (3, 2)


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSATLAS_PORT", "")
    assert read_settings({}).port == 8000


@pytest.mark.parametrize("name", ["LOSSATLAS_API_KEY", "lossatlas_api_key"])
@pytest.mark.parametrize("key", ["", " ", "\n", " \r\n\t"])
def test_an_empty_key_is_refused_instead_of_letting_everybody_in(
    name: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, key)
    with pytest.raises(InvalidSettings, match=r"^LOSSATLAS_API_KEY: the API key is empty"):
        read_settings({})
    assert read_settings({"api_key": "hush"}).api_key == SecretStr("hush")
    monkeypatch.delenv(name)
    with pytest.raises(InvalidSettings, match=r"^--api-key: the API key is empty"):
        read_settings({"api_key": key})


@pytest.mark.parametrize("given", ["hush\n", " hush", "hush\r\n", "\thush ", "\u3000hush"])
def test_white_space_around_the_key_is_taken_off(given: str) -> None:
    assert read_settings({"api_key": given}).api_key == SecretStr("hush")


@pytest.mark.parametrize(
    "key", ["hu\nsh", "hu\0sh", "hu\x7fsh", "hu\x85sh", "k\u0142ucz", "\U0001f511"]
)
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^--api-key: .*control character") as caught:
        read_settings({"api_key": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize("hosts", ["a.example, .b.example ,*.c.example", "*", "[::1]:8000", ""])
def test_further_hosts_are_a_list_with_commas(hosts: str) -> None:
    assert read_settings({"allowed_hosts": hosts}).allowed_hosts == hosts


@pytest.mark.parametrize("hosts", ["http://a.example", "a.example/x", "a b", "me@a.example"])
def test_a_host_that_is_not_a_name_is_refused(hosts: str) -> None:
    with pytest.raises(InvalidSettings, match=r"^--allowed-hosts: .* is not a host name"):
        read_settings({"allowed_hosts": hosts})


def test_settings_cannot_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "x"),
        ("port", "65536"),
        ("port", "-1"),
        ("workers", "0"),
        ("max_images", "0"),
        ("max_pixels", "many"),
        ("deadline_s", "0"),
        ("device", "gpu"),
        ("index_url", "milvus"),
        ("index_url", "http://host:19530"),
        ("index_url", "milvus://"),
        ("index_url", "milvus://host:65536"),
        ("index_url", "milvus://host/a/b"),
        ("index_url", "milvus://a host"),
        ("log_format", "xml"),
        ("tracing", "jaeger"),
        ("default_loss", "../etc"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_where_it_was_given(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidSettings, match=f"^{flag(name)}: .*{value}"):
        read_settings({name: value})
    monkeypatch.setenv(variable(name), value)
    with pytest.raises(InvalidSettings, match=f"^{variable(name)}: "):
        read_settings({})


def test_an_unknown_variable_is_named_with_those_that_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOSSATLAS_PROT", "1")
    monkeypatch.setenv("LOSSATLAS_PORT", "2")
    with pytest.raises(InvalidSettings) as caught:
        read_settings({})
    said = "unknown setting LOSSATLAS_PROT (did you mean LOSSATLAS_PORT?); "
    assert str(caught.value).startswith(said)
    assert "LOSSATLAS_PORT" in str(caught.value)


def test_a_queue_that_no_full_request_fits_is_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"queue_items \(8\) is less than max_images \(9\)"):
        read_settings({"queue_items": "8", "max_images": "9"})


def test_the_key_is_never_shown() -> None:
    settings = Settings(api_key=SecretStr("hush"))
    assert "hush" not in repr(settings) + str(settings.model_dump())


@pytest.mark.parametrize(
    "url",
    [
        "milvus://milvus",
        "milvus://10.0.0.1:19530",
        "milvus+tls://[::1]:443/images",
        "milvus://me:p%40ss@milvus.example.org:19530/",
    ],
)
def test_an_index_may_be_a_milvus_server(url: str) -> None:
    assert read_settings({"index_url": url}).index_url == url


def test_the_password_of_an_index_is_never_shown() -> None:
    assert "hush" not in repr(Settings(index_url="milvus://me:hush@host"))
    with pytest.raises(InvalidSettings, match=r"//\.\.\.@host:x") as caught:
        read_settings({"index_url": "milvus://me:hush@host:x"})
    assert "hush" not in str(caught.value)


def test_workers_get_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(port=1, deadline_s=2.5, api_key=SecretStr("hush"), registry=Path("a b"))
    for name, value in to_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert read_settings({}) == settings


# What a pod gets for services called `lossatlas` and `lossatlas-api`.
INJECTED = {
    "LOSSATLAS_PORT": "tcp://10.0.0.1:80",
    "LOSSATLAS_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "LOSSATLAS_PORT_8000_TCP_ADDR": "10.0.0.1",
    "LOSSATLAS_PORT_8000_TCP_PORT": "8000",
    "LOSSATLAS_PORT_8000_TCP_PROTO": "tcp",
    "LOSSATLAS_SERVICE_HOST": "10.0.0.1",
    "LOSSATLAS_SERVICE_PORT": "80",
    "LOSSATLAS_SERVICE_PORT_HTTP_METRICS": "80",
    "LOSSATLAS_API_PORT": "udp://10.0.0.2:80",
    "LOSSATLAS_API_SERVICE_HOST": "10.0.0.2",
    "LOSSATLAS_API_PORT_9_SCTP_ADDR": "10.0.0.2",
}


def test_what_kubernetes_sets_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in INJECTED.items():
        monkeypatch.setenv(name, value)
    assert read_settings({}).port == 8000
    assert read_settings({"port": "9"}).port == 9
    assert from_kubernetes(os.environ, PREFIX) == sorted(INJECTED)


@pytest.mark.parametrize(
    "variables",
    [
        {"LOSSATLAS_PORT": "10.0.0.1:80"},
        {"LOSSATLAS_PORT": "http://10.0.0.1"},
        {"LOSSATLAS_SERVICE": "10.0.0.1"},
        {"LOSSATLAS_PORT_HTTP": "tcp://10.0.0.1:80"},
        {"LOSSATLAS_HOST": "tcp://10.0.0.1:80", "LOSSATLAS_SERVICES_HOST": "x"},
    ],
)
def test_what_only_looks_like_it_is_refused(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings):
        read_settings({})


NUMBERS = ["-1", "0", "1e400", "nan", "-inf", "1.5", "9" * 40, "\u0661"]
ODD = [*NUMBERS, "", "x", " 7 ", "a\nb", "\udcff"]


@pytest.mark.parametrize("name", Settings.model_fields)
@pytest.mark.parametrize("value", ODD)
def test_any_value_is_taken_or_named_in_one_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable(name), value)
    try:
        read_settings({})
    except InvalidSettings as error:
        said = str(error)
        assert variable(name) in said or name in said
        assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_number_is_finite_and_more_than_nothing(name: str) -> None:
    if Settings.model_fields[name].annotation is float:
        for value in ("inf", "nan", "0", "-1"):
            with pytest.raises(InvalidSettings, match=f"^{flag(name)}: "):
                read_settings({name: value})
