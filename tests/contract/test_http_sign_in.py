"""Sign-in: a form sets a cookie that other sites cannot use, and that opens every page."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from service.access.sessions import COOKIE, LIFE_S, Sessions
from tests.support.bundles import picture
from tests.support.serving import ready

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


@pytest.fixture
def guarded(tiny_registry: Path) -> Iterator[httpx.Client]:
    with ready(tiny_registry, api_key=SecretStr("hush")) as client:
        yield client


def sign_in(client: httpx.Client, key: str = "hush", **more: str) -> httpx.Response:
    fields = {"key": key, **more}
    return client.post("/sign-in", data=fields, headers=HTML | {"Origin": str(client.base_url)})


def own(client: httpx.Client) -> dict[str, str]:
    return {"Origin": str(client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize("path", ["/", "/models", "/report/arcface", "/docs", "/nix", "/sign-in"])
def test_a_browser_without_the_key_gets_the_form_and_nothing_else(
    guarded: httpx.Client, path: str
) -> None:
    answer = guarded.get(path, headers=HTML)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["www-authenticate"] == "Bearer"  # Basic would open the browser's window
    assert answer.headers["cache-control"] == "no-store"
    assert '<form method="post" action="/sign-in">' in answer.text
    assert f'name="return_to" value="{path}"' in answer.text
    assert answer.headers["x-request-id"] in answer.text
    for secret in ("arcface,", "/report", "/static/"):
        assert secret not in answer.text.replace(f'value="{path}"', "")


def test_the_key_gives_a_cookie_that_opens_every_page(guarded: httpx.Client) -> None:
    answer = sign_in(guarded, return_to="/report/arcface?version=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/report/arcface?version=1")
    value, *rules = answer.headers["set-cookie"].split("; ")
    assert value.startswith(f"{COOKIE}=")
    assert "hush" not in value
    assert set(rules) == {"Path=/", f"Max-Age={LIFE_S}", "HttpOnly", "SameSite=Strict"}
    for path in ("/", "/models", "/report/arcface", "/docs", "/openapi.json", "/metrics"):
        assert guarded.get(path, headers=HTML).status_code == 200
    image = {"Content-Type": "image/png"} | own(guarded)
    assert guarded.post("/embed", content=picture(0), headers=image).status_code == 200
    assert "Sign out" in guarded.get("/", headers=HTML).text


@pytest.mark.parametrize("header", [{"X-Forwarded-Proto": "https"}, {"Origin": "https://x"}])
def test_over_https_the_cookie_is_secure(tiny_registry: Path, header: dict[str, str]) -> None:
    with ready(tiny_registry, api_key=SecretStr("hush")) as client:
        asked = {"Host": "x", **header}
        answer = client.post("/sign-in", data={"key": "hush"}, headers=asked)
        assert answer.status_code == 303
        assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("sender", [FOREIGN, {}, {"Origin": "null"}, {"Referer": "http://evil/"}])
def test_a_cookie_writes_for_the_services_own_pages_alone(
    guarded: httpx.Client, sender: dict[str, str]
) -> None:
    sign_in(guarded)
    headers = {"Content-Type": "image/png"} | sender
    for method, path in (("POST", "/embed"), ("POST", "/sign-out"), ("DELETE", "/collections/x")):
        answer = guarded.request(method, path, content=picture(0), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site"), path
    assert guarded.get("/models", headers=sender).status_code == 200


def test_another_site_cannot_sign_a_visitor_in(guarded: httpx.Client) -> None:
    answer = guarded.post("/sign-in", data={"key": "hush"}, headers=FOREIGN)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


def test_a_wrong_key_is_a_page_with_an_error_and_ten_are_enough(guarded: httpx.Client) -> None:
    for _ in range(10):
        answer = sign_in(guarded, "no", return_to="/models")
        assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
        assert 'role="alert"' in answer.text
        assert 'name="return_to" value="/models"' in answer.text
    answer = sign_in(guarded)
    assert (answer.status_code, "set-cookie" in answer.headers) == (429, False)
    assert 0 < int(answer.headers["retry-after"]) <= 61
    programs = guarded.get("/models", headers={"Authorization": "Bearer hush"})
    assert programs.status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        *("", "1.0", "x", "9999999999.0", f"{2**40}.é"),
        pytest.param(Sessions("other").new(), id="another service's"),
    ],
)
def test_no_other_cookie_opens_anything(guarded: httpx.Client, given: str) -> None:
    headers = [(b"cookie", f"a=b; {COOKIE}={given}".encode("latin-1"))]
    assert guarded.get("/models", headers=headers).status_code == 401


def test_an_old_cookie_is_void(guarded: httpx.Client) -> None:
    for age_s, status in ((0, 200), (LIFE_S + 60, 401)):
        value = Sessions("hush", lambda: time.time() - age_s).new()  # noqa: B023 - called here
        cookie = {"Cookie": f"{COOKIE}={value}"}
        assert guarded.get("/models", headers=cookie).status_code == status


def test_a_wrong_bearer_is_not_excused_by_a_cookie(guarded: httpx.Client) -> None:
    sign_in(guarded)
    assert guarded.get("/models", headers={"Authorization": "Bearer no"}).status_code == 401


def test_signing_out_takes_the_cookie_back(guarded: httpx.Client) -> None:
    sign_in(guarded)
    answer = guarded.post("/sign-out", headers=own(guarded))
    assert answer.status_code == 303
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert guarded.get("/", headers=HTML).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example/", "evil", "", "/a\r\nb: c", "/é"],
)
def test_it_leads_to_no_other_site(guarded: httpx.Client, path: str) -> None:
    assert sign_in(guarded, return_to=path).headers["location"] == "/"


def test_the_form_is_read_within_limits(guarded: httpx.Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    long = guarded.post("/sign-in", content=b"key=" + b"x" * 20_000, headers=form)
    assert long.status_code == 413
    for body, headers, status in (
        (b"key=%ff&" * 20, form, 422),
        (b"\xff", form, 422),
        (b"{}", {"Content-Type": "application/json"}, 415),
    ):
        assert guarded.post("/sign-in", content=body, headers=headers).status_code == status


def test_without_a_key_everybody_is_in(client: httpx.Client) -> None:
    answer = client.post("/sign-in", data={"key": "x", "return_to": "/models"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/models")
    assert "set-cookie" not in answer.headers
    assert client.get("/sign-in").status_code == 303
    assert "Sign out" not in client.get("/", headers=HTML).text


def test_a_page_that_asks_for_data_gets_json_and_no_window(guarded: httpx.Client) -> None:
    asked = {"Accept": "application/json", "Sec-Fetch-Mode": "cors"}
    answer = guarded.get("/models", headers=asked)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers.get_list("www-authenticate") == ["Bearer"]
