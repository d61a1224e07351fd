import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from tests.support.bundles import picture
from tests.support.serving import ready, routes

OPEN = {"/health/live", "/health/ready"}


def basic(*words: str, charset: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(":".join(words).encode(charset)).decode()


@pytest.fixture(scope="module")
def guarded(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry, api_key=SecretStr("hush")) as client:
        yield client


ADMIN = "/admin/"  # asks for a key of its own: test_http_reload.py
PATHS = sorted(
    {path for _, path in routes() if not path.startswith(ADMIN)}
    | {"/docs", "/openapi.json", "/nix"}
)


@pytest.mark.parametrize(
    "header",
    [
        *(None, "", "Bearer", "Bearer no", "Bearer hush2", "hush", "Bearer h\xfcsh"),
        *("Basic", "Basic hush", "Basic !", basic("hush", ""), basic("", "no"), basic("hush")),
        "Digest hush",
    ],
)
def test_without_the_key_only_health_answers(guarded: httpx.Client, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    for path in PATHS:
        answer = guarded.request("GET", path, headers=headers)
        if path in OPEN:
            assert answer.status_code == 200, path
            continue
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), path
        challenges = answer.headers.get_list("www-authenticate")
        assert [challenge.split(" ")[0] for challenge in challenges] == ["Bearer", "Basic"], path
        assert answer.headers["x-request-id"] == answer.json()["request_id"], path


@pytest.mark.parametrize(
    "header",
    [
        *("Bearer hush", "bearer hush", "Bearer  hush", "BEARER hush"),
        *(basic("", "hush"), basic("anybody", "hush"), basic("\u0142", "hush")),
        basic("me", "hush").replace("Basic", "basic"),
    ],
)
def test_with_the_key_everything_answers(guarded: httpx.Client, header: str) -> None:
    headers = {"Authorization": header, "Content-Type": "image/png"}
    assert guarded.post("/embed", content=picture(0), headers=headers).status_code == 200
    assert guarded.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "given", [basic("me", "h\xfcsh"), basic("me", "h\xfcsh", charset="latin-1")]
)
def test_a_key_beyond_ascii_is_known_in_either_coding(tiny_registry: Path, given: str) -> None:
    with ready(tiny_registry, api_key=SecretStr("h\xfcsh")) as client:
        assert client.get("/models", headers={"Authorization": given}).status_code == 200
        bearer = "Bearer h\xfcsh".encode("latin-1")
        assert client.get("/models", headers={b"Authorization": bearer}).status_code == 200


FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


def test_a_browser_that_has_the_key_does_not_lend_it_to_other_sites(
    guarded: httpx.Client,
) -> None:
    signed_in = {"Authorization": basic("me", "hush"), "Content-Type": "image/png"}
    foreign = guarded.post("/embed", content=picture(0), headers=signed_in | FOREIGN)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "cross_site")
    own = {"Origin": str(guarded.base_url).rstrip("/")}
    assert guarded.post("/embed", content=picture(0), headers=signed_in | own).is_success
    # Another site has no bearer token unless somebody gave it one.
    signed_in["Authorization"] = "Bearer hush"
    assert guarded.post("/embed", content=picture(0), headers=signed_in | FOREIGN).is_success


def test_with_a_key_any_host_is_served(guarded: httpx.Client) -> None:
    headers = {"Authorization": "Bearer hush", "Host": "evil.example"}
    assert guarded.get("/models", headers=headers).status_code == 200
