"""The posted bodies."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from benchmarks.serving.workloads import WORKLOADS, Workload


@pytest.fixture(scope="module", params=WORKLOADS)
def workload(request: pytest.FixtureRequest) -> Workload:
    return WORKLOADS[request.param]()


def test_images_are_different_jpegs_of_the_promised_size(workload: Workload) -> None:
    size = (640, 480) if workload.name == "photo" else (32, 32)
    for image in workload.images:
        with Image.open(BytesIO(image)) as opened:
            assert (opened.format, opened.size) == ("JPEG", size)
    assert len(set(workload.images)) == len(workload.images) >= 48


def test_requests_are_different_and_use_different_images(workload: Workload) -> None:
    assert len(set(workload.requests)) == len(workload.requests) >= 48
    assert {len(request) for request in workload.requests} == {workload.per_request}
    assert all(len(set(request)) == len(request) for request in workload.requests)
    assert workload.per_request == (64 if workload.name == "many" else 1)


def test_they_are_the_same_in_every_run(workload: Workload) -> None:
    assert WORKLOADS[workload.name]() == workload


def test_photographs_are_as_dense_as_photographs() -> None:
    """Enlarged pictures are smooth; a decoder would have less to do than with real ones."""
    photos = WORKLOADS["photo"]().images
    bits = 8 * np.mean([len(photo) for photo in photos]) / (640 * 480)
    assert 2.0 < bits < 3.0
