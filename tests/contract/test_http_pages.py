"""Pages work without a network: nothing in them is loaded from another host."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from tests.support.serving import ready

PAGES = [
    *("/", "/explore", "/report", "/report/arcface", "/report/softmax", "/docs"),
    *("/models", "/models/arcface", "/collections"),
]
LOADS = {"src", "srcset", "poster", "data", "background", "action", "formaction", "ping"}
HTML = {"Accept": "text/html"}


class Loaded(HTMLParser):
    """The addresses that a browser asks for by itself, or sends a form to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline = ""
        self._in_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_code = tag in ("script", "style")
        for name, value in attrs:
            if name in LOADS or (name == "href" and tag != "a"):
                self.found.append(value or "")
            elif name == "style":
                self.inline += f" {value}"

    def handle_data(self, data: str) -> None:
        self.inline += f" {data}" if self._in_code else ""


def loaded(text: str) -> list[str]:
    page = Loaded()
    page.feed(text)
    return [*page.found, *in_style(page.inline)]


def in_style(text: str) -> list[str]:
    named = re.findall(r"""url\(\s*["']?(\w[^"')]*)|@import\s+["']([^"']*)""", text)
    return ["".join(one) for one in named]


def is_external(address: str, base: httpx.URL) -> bool:
    host = urlsplit(urljoin(str(base), address)).netloc
    return host not in ("", f"{base.host}:{base.port}")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_another_host(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers=HTML)
    assert answer.headers["content-type"].startswith("text/html")
    addresses = loaded(answer.text)
    assert addresses, "a page has an icon at least"
    for address in addresses:
        assert not is_external(address, client.base_url), address
        if address.startswith("/static/"):
            part = client.get(urljoin(path, address))
            assert part.status_code == 200, address
            if part.headers["content-type"].startswith("text/css"):
                assert not [one for one in in_style(part.text) if not one.startswith("data:")]


def test_the_test_would_notice_it(client: httpx.Client) -> None:
    for text in (
        '<script src="https://cdn.example/a.js"></script>',
        '<link rel="icon" href="//cdn.example/a.png">',
        "<style>@import 'http://cdn.example/a.css';</style>",
        '<p style="background: url(https://cdn.example/a.png)">',
        '<form action="https://cdn.example/">',
    ):
        assert [one for one in loaded(text) if is_external(one, client.base_url)], text


@pytest.mark.parametrize("path", PAGES)
def test_a_browser_may_load_nothing_from_another_host(client: httpx.Client, path: str) -> None:
    policy = client.get(path, headers=HTML).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";") if rule.strip())
    assert rules["default-src"] == "'none'"
    sources = {source for rule in rules.values() for source in rule.split()}
    assert sources <= {"'none'", "'self'", "data:", "blob:"}
    assert rules["script-src"] == "'self'"


def test_the_manual_has_every_route_and_works_without_scripts(client: httpx.Client) -> None:
    page = client.get("/docs", headers=HTML).text
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            about = page.split(f'id="{operation["operationId"]}"')[1].split("</details>")[0]
            assert f"<code>{path}</code>" in about
            assert f">{method.upper()}</span>" in about
            for parameter in operation.get("parameters", ()):
                assert f"<code>{parameter['name']}</code>" in about
            for status in operation["responses"]:
                assert f">{status}</th>" in about
            for kind in operation.get("requestBody", {}).get("content", ()):
                assert f"<code>{kind}</code>" in about
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page
    assert set(re.findall(r'href="#(schema-[^"]+)"', page)) <= set(
        re.findall(r'id="([^"]+)"', page)
    )
    for gone in ("/docs/oauth2-redirect", "/redoc", "/docs/nix.js"):
        assert client.get(gone).status_code == 404


def test_the_manual_is_behind_the_key(tiny_registry: Path) -> None:
    with ready(tiny_registry, api_key=SecretStr("hush")) as guarded:
        assert guarded.get("/docs").status_code == 401
        assert guarded.get("/docs", auth=("anybody", "hush")).status_code == 200
