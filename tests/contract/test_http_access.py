"""Access without a key: programs and the service's own pages are served, other sites' are not."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.bundles import picture
from tests.support.serving import PATIENCE_S, ready

REBOUND = ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example"]
MALFORMED = ["http://localhost", "a b", "me@localhost", "localhost:x", "[::1", "a/b", "x" * 300]
OWN = [
    *("localhost", "LOCALHOST:8000", "localhost.", "localhost.:80", "app.localhost"),
    *("127.0.0.1", "127.0.0.1:9", "10.42.0.17:8000", "[::1]", "[::1]:8000", "0.0.0.0:8000"),
]
PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def own(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry, allowed_hosts="atlas.example, *.atlas.example:8443") as client:
        yield client


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("host", REBOUND)
@pytest.mark.parametrize("path", ["/", "/models", "/metrics", "/docs", "/openapi.json", "/nix"])
def test_nothing_is_read_under_another_name(own: httpx.Client, host: str, path: str) -> None:
    answer = own.get(path, headers={"Host": host})
    assert code(answer) == (421, "host_not_allowed")
    assert answer.json()["host"] == host.removesuffix(":8000")


def test_nothing_is_written_under_another_name(own: httpx.Client) -> None:
    for method, path in (
        ("POST", "/embed"),
        ("PUT", "/collections/a"),
        ("DELETE", "/collections/a"),
    ):
        answer = own.request(method, path, headers={"Host": "evil.example"})
        assert code(answer) == (421, "host_not_allowed")


@pytest.mark.parametrize("host", MALFORMED)
def test_a_host_that_is_none_is_refused(own: httpx.Client, host: str) -> None:
    assert code(own.get("/models", headers={"Host": host})) == (400, "invalid_host")


@pytest.mark.parametrize("host", [*OWN, "atlas.example", "a.b.atlas.example:1", "Atlas.Example."])
def test_its_own_names_and_addresses_are_served(own: httpx.Client, host: str) -> None:
    assert own.get("/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_probes_may_use_any_name(own: httpx.Client, path: str) -> None:
    assert own.get(path, headers={"Host": "evil.example"}).status_code == 200


def test_a_container_has_names_that_others_cannot_register(tiny_registry: Path) -> None:
    private = ["lossatlas:8000", "atlas.local", "a.b.internal", "nas.home.arpa"]
    with ready(tiny_registry) as loopback, ready(tiny_registry, host="0.0.0.0") as beyond:
        for name in private:
            assert code(loopback.get("/models", headers={"Host": name})) == (
                421,
                "host_not_allowed",
            )
            assert beyond.get("/models", headers={"Host": name}).status_code == 200
        assert code(beyond.get("/models", headers={"Host": "evil.example"}))[0] == 421


def raw(client: httpx.Client, head: bytes) -> bytes:
    address = (client.base_url.host, client.base_url.port or 80)
    with socket.create_connection(address, timeout=PATIENCE_S) as wire:
        wire.sendall(head + b"Connection: close\r\n\r\n")
        said = b""
        while chunk := wire.recv(65536):
            said += chunk
    return said


def test_a_request_has_one_host_or_is_older_than_hosts(own: httpx.Client) -> None:
    two = raw(own, b"GET /models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n")
    assert two.startswith(b"HTTP/1.1 400")
    assert b"invalid_host" in two
    assert raw(own, b"GET /models HTTP/1.0\r\n").startswith(b"HTTP/1.1 200")


CROSS = [
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "null"},
    {"Origin": "file://"},
    {"Origin": "chrome-extension://abc"},
    {"Referer": "https://evil.example/page?of=it"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://atlas.example"},
    {"Origin": "https://atlas.example.evil.example"},
]


@pytest.mark.parametrize("headers", CROSS, ids=str)
def test_other_sites_do_not_write(own: httpx.Client, headers: dict[str, str]) -> None:
    simple = {"Content-Type": "text/plain"} | headers
    for method, path in (
        ("POST", "/embed"), ("POST", "/collections/a/items"), ("PUT", "/collections/a"),
        ("DELETE", "/collections/a"), ("POST", "/v1/embeddings"), ("POST", "/nix"),
    ):  # fmt: skip
        assert code(own.request(method, path, headers=simple)) == (403, "cross_site")
    refused = own.post("/collections/a/snapshot", headers=headers)
    assert refused.json()["origin"] == headers.get("Origin", headers.get("Referer", ""))
    assert own.get("/models", headers=headers).status_code == 200  # the browser hides the answer


def test_own_pages_and_programs_write(own: httpx.Client) -> None:
    authority = f"{own.base_url.host}:{own.base_url.port}"
    for headers in (
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": f"http://{authority}"},
        {"Referer": f"http://{authority}/docs"},
        {"Origin": "https://localhost", "Host": "localhost"},  # a proxy has taken TLS off
        {"Origin": "http://localhost", "Host": "localhost.:80"},
        {"Origin": "http://[::1]:8000", "Host": "[::1]:8000"},
        {"Origin": "https://atlas.example"},  # a proxy has another Host than its visitors
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://name.of.a.proxy.example"},
    ):
        answer = own.post("/embed", content=picture(0), headers=PNG | headers)
        assert answer.status_code == 200, headers


def test_a_preflight_allows_nothing(own: httpx.Client) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    answer = own.options("/collections/a", headers=asked)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert not answer.is_success


def test_any_name_may_be_allowed_and_other_sites_still_do_not_write(tiny_registry: Path) -> None:
    with ready(tiny_registry, allowed_hosts="*") as client:
        assert client.get("/models", headers={"Host": "evil.example"}).status_code == 200
        foreign = client.post("/embed", headers={"Origin": "https://evil.example"})
        assert code(foreign) == (403, "cross_site")
