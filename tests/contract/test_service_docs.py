"""docs/settings.md and docs/api.md name everything there is, and nothing that there is not."""

import re
from pathlib import Path

import httpx
import pytest

from service.http.responses import errors
from service.settings import Settings, flag, variable
from tests.support.serving import routes

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "api.md").read_text()
SETTINGS = (DOCS / "settings.md").read_text()


def row(name: str) -> list[str]:
    found = [line for line in SETTINGS.splitlines() if line.startswith(f"| `{variable(name)}`")]
    assert len(found) == 1, name
    return [cell.strip().strip("`") for cell in found[0].strip("|").split("|")]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    cells = row(name)
    default = Settings.model_fields[name].default
    assert cells[1] == flag(name)
    assert cells[2] == ("unset" if default is None else str(default))
    assert all(cells[3:])


def test_no_other_setting_is_documented() -> None:
    named = set(re.findall(r"^\| `(LOSSATLAS_\w+)`", SETTINGS, re.MULTILINE))
    assert named == {variable(name) for name in Settings.model_fields}


def test_every_route_is_documented_and_no_other() -> None:
    head = API.split("## Images")[0]
    named = set(re.findall(r"^\| \[?`([A-Z]+) (/\S*?)`", head, re.MULTILINE))
    assert named == routes()


def test_every_error_is_documented_with_its_status_and_no_other() -> None:
    table = API.split("## Errors")[1]
    named = set(re.findall(r"^\| (\d{3}) \| `(\w+)`", table, re.MULTILINE))
    known = {*errors.TABLE.values(), *errors.OTHERS}
    assert named == {(str(answer.status), answer.code) for answer in known}


def test_every_metric_is_documented_and_no_other(client: httpx.Client) -> None:
    client.post("/embed")
    families = re.findall(r"^# TYPE (\w+) (\w+)", client.get("/metrics").text, re.MULTILINE)
    known = {name for name, _ in families if not name.endswith("_created")}
    assert set(re.findall(r"^\| `(lossatlas_\w+)`", API, re.MULTILINE)) == known


def test_every_link_inside_the_page_leads_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", API, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert set(re.findall(r"\(#([\w-]+)\)", API)) <= anchors
