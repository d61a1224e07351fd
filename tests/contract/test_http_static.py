"""Styles and scripts: kept by browsers for good, since their address names what they hold."""

import re
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from pydantic import SecretStr

from service.http.pages.static_files import MEDIA, read_static_files
from tests.support.serving import ready

STATIC = read_static_files()


@pytest.mark.parametrize("name", sorted(STATIC.files))
def test_a_file_is_served_for_good(client: httpx.Client, name: str) -> None:
    answer = client.get(STATIC.address(name))
    assert answer.content == STATIC.files[name]
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == MEDIA[name.rpartition(".")[2]]
    assert answer.headers["x-content-type-options"] == "nosniff"
    known = {"If-None-Match": answer.headers["etag"]}
    assert client.get(STATIC.address(name), headers=known).status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "/static/0123456789abcdef/style.css",
        f"/static/{STATIC.digest}/nothing.js",
        f"/static/{STATIC.digest}/%2e%2e/pages.py",
        f"/static/{STATIC.digest}/samples/README.md",
        f"/static/{STATIC.digest}/",
    ],
)
def test_nothing_else_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", [name for name in STATIC.files if name.endswith(".js")])
def test_a_module_imports_what_is_there(name: str) -> None:
    text = STATIC.files[name].decode()
    imported = re.findall(r"""^(?:import|export) .*?from "([^"]+)";""", text, re.MULTILINE)
    for one in imported:
        assert one.startswith("."), one
        assert urljoin(name, one) in STATIC.files, one


def test_the_pages_have_no_style_or_script_of_their_own(client: httpx.Client) -> None:
    for path in ("/", "/report", "/report/arcface"):
        text = client.get(path, headers={"Accept": "text/html"}).text
        assert not re.search(r"<style|<script(?![^>]* src=)|\son\w+=|\sstyle=", text), path


def test_every_file_has_its_license_or_is_our_own() -> None:
    folder = Path("service/http/pages/static/samples")
    listed = (folder / "README.md").read_text()
    for one in folder.iterdir():
        assert one.name == "README.md" or one.name in listed


def test_a_page_follows_its_files(tiny_registry: Path) -> None:
    with ready(tiny_registry, api_key=SecretStr("hush")) as guarded:
        page = guarded.get("/", auth=("anybody", "hush")).text
        assert f"/static/{STATIC.digest}/style.css" in page
