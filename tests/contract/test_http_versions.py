"""Two versions of a model side by side, image by image where they have the same test images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.store import Store
from service.http.responses.versions import VersionChange
from tests.support.bundles import Recipe, publish
from tests.support.serving import ready

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    root = tmp_path_factory.mktemp("registry")
    for recipe in (Recipe(seed=1), Recipe(seed=2), Recipe(seed=3, tests=20)):
        publish(root, "arcface", recipe)
    publish(root, "softmax", Recipe(tests=None))
    with ready(root) as client:
        client.headers["X-Root"] = str(root)
        yield client


def rights(client: httpx.Client, version: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    about = client.get("/report/arcface/map", params={"version": version}).json()
    data = client.get(about["points"]["address"]).content
    columns = {one["name"]: one for one in about["points"]["columns"]}
    label, said = (
        np.frombuffer(data, columns[name]["dtype"], about["count"], columns[name]["offset"])
        for name in ("label", "prediction")
    )
    right: np.ndarray[Any, np.dtype[np.bool_]] = (label == said)[: about["tests"]]
    return right


def test_the_images_that_changed_are_counted_from_the_maps(served: httpx.Client) -> None:
    answer = served.get("/report/arcface/versions", params={"before": 1, "after": 2})
    change = VersionChange.model_validate(answer.json())
    before, after = rights(served, 1), rights(served, 2)
    assert change.paired is not None
    test = change.paired.test
    assert test.only_own_right == (after & ~before).sum()
    assert test.only_baseline_right == (before & ~after).sum()
    assert change.paired.difference.value == pytest.approx(after.mean() - before.mean())
    assert {one.row for one in change.paired.gained} == set(np.flatnonzero(after & ~before))
    assert {one.row for one in change.paired.lost} == set(np.flatnonzero(before & ~after))
    by_class = [one.test for one in change.paired.classes]
    assert sum(one.only_own_right for one in by_class) == test.only_own_right
    for images in (change.paired.gained, change.paired.lost):
        sure = [one.probability for one in images]
        assert sure == sorted(sure, reverse=True)


def test_the_measures_are_those_of_the_reports(served: httpx.Client) -> None:
    change = served.get("/report/arcface/versions?before=1&after=2").json()
    for side, version in (("before", 1), ("after", 2)):
        report = Store(Path(served.headers["X-Root"])).load("arcface", version).report
        by_name = {one["name"]: one[side] for one in change["measures"]}
        assert by_name["accuracy"] == report.classification.accuracy.model_dump()
        assert by_name["model_bytes"] == report.cost.model_bytes


def test_by_default_the_newest_is_compared_with_the_one_before(served: httpx.Client) -> None:
    change = served.get("/report/arcface/versions").json()
    assert (change["before"], change["after"], change["versions"]) == (2, 3, [3, 2, 1])
    assert served.get("/report/arcface/versions?after=1").json()["before"] == 2


def test_other_test_images_are_not_compared_image_by_image(served: httpx.Client) -> None:
    change = served.get("/report/arcface/versions?before=2&after=3").json()
    assert change["paired"] is None
    assert change["measures"]
    assert (
        "cannot be compared image by image"
        in served.get("/report/arcface/versions?before=2&after=3", headers=HTML).text
    )


def test_a_model_of_one_version_has_nothing_to_compare(served: httpx.Client) -> None:
    answer = served.get("/report/softmax/versions")
    assert (answer.status_code, answer.json()["code"]) == (404, "only_one_version")
    assert served.get("/report/arcface/versions?before=9").json()["code"] == "unknown_model"


def test_switching_keeps_the_version_where_the_other_loss_has_it(served: httpx.Client) -> None:
    page = served.get("/report/arcface?version=2", headers=HTML).text
    assert 'href="/models/arcface?version=2"' in page
    assert 'href="/report/softmax"' in page  # which has no version 2
    assert 'href="/report/arcface?version=1"' in page
    assert 'href="/report/arcface/versions"' in page
    page = served.get("/report/softmax", headers=HTML).text
    assert "/report/softmax/versions" not in page
