"""The routes below /v1, asked by OpenAI's own client library over real HTTP."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from pydantic import SecretStr

from models.store import Store
from service.http.responses.openai import OpenAIEmbeddings
from service.http.responses.schemas import Problem
from tests.support.bundles import picture
from tests.support.serving import ready

API = Path(__file__).parents[2] / "docs" / "api.md"
PICTURES = [picture(seed) for seed in range(4)]


def uri(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()


URIS = [uri(image) for image in PICTURES]


def connect(client: httpx.Client, key: str = "none is asked for") -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{client.base_url}/v1".replace("//v1", "/v1"), api_key=key, max_retries=0
    )


@pytest.fixture(scope="module")
def library(client: httpx.Client) -> Iterator[openai.OpenAI]:
    with connect(client) as found:
        yield found


def embed(client: httpx.Client, loss: str, version: int | None = None) -> np.ndarray:
    params = {"loss": loss} | ({"version": version} if version else {})
    images = [base64.b64encode(image).decode() for image in PICTURES]
    answer = client.post("/embed", params=params, json={"images": images})
    return np.array(answer.json()["embeddings"], np.float32)


def as_floats(embedding: list[float] | str) -> list[float]:
    """Decode base64, which the library leaves to its user where it is asked for by name."""
    if not isinstance(embedding, str):
        return embedding
    found: list[float] = np.frombuffer(base64.b64decode(embedding), "<f4").tolist()
    return found


@pytest.mark.parametrize(
    "options", [{}, {"encoding_format": "base64"}, {"encoding_format": "float"}]
)
@pytest.mark.parametrize(("model", "version"), [("arcface", None), ("softmax", 1), ("arcface", 1)])
def test_the_library_gets_the_embeddings_of_embed(
    client: httpx.Client,
    library: openai.OpenAI,
    options: dict[str, Any],
    model: str,
    version: int | None,
) -> None:
    name = model if version is None else f"{model}/{version}"
    answer = library.embeddings.create(model=name, input=URIS, user="me", **options)
    assert answer.model == name
    assert [one.index for one in answer.data] == [0, 1, 2, 3]
    np.testing.assert_allclose(
        [as_floats(one.embedding) for one in answer.data], embed(client, model, version), atol=1e-6
    )
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (0, 0)


def test_one_image_needs_no_list_and_its_own_dimension_may_be_named(library: openai.OpenAI) -> None:
    one = library.embeddings.create(model="arcface", input=URIS[0], dimensions=4)
    several = library.embeddings.create(model="arcface", input=URIS[:1])
    assert one.data == several.data
    assert len(one.data[0].embedding) == 4


def test_the_answer_is_what_openapi_says(client: httpx.Client) -> None:
    for options in ({}, {"encoding_format": "base64"}):
        answer = client.post("/v1/embeddings", json={"model": "arcface", "input": URIS, **options})
        body = OpenAIEmbeddings.model_validate(answer.json())
        assert (body.object, len(body.data)) == ("list", 4)
        assert {type(one.embedding) for one in body.data} == ({str} if options else {list})
        assert "inference;dur=" in answer.headers["server-timing"]


def test_the_library_lists_the_models(library: openai.OpenAI, tiny_registry: Path) -> None:
    listed = list(library.models.list())
    assert [one.id for one in listed] == ["arcface", "softmax"]
    created = Store(tiny_registry).load("arcface").manifest.created
    for one in (
        listed[0],
        library.models.retrieve("arcface"),
        library.models.retrieve("arcface/1"),
    ):
        assert (one.object, one.owned_by) == ("model", "lossatlas")
        assert one.created == created.timestamp()
    assert library.models.retrieve("arcface/1").id == "arcface/1"


@pytest.mark.parametrize(
    "model", ["nix", "arcface/9", "arcface/x", "arcface/" + "9" * 5000, "../x", ""]
)
def test_an_unknown_model_is_an_error_that_the_library_understands(
    library: openai.OpenAI, model: str
) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        library.embeddings.create(model=model, input=URIS[0])
    assert (caught.value.code, caught.value.type) == ("unknown_model", "invalid_request_error")
    assert "arcface" in caught.value.message


def test_retrieving_an_unknown_model_names_those_that_exist(library: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="available: arcface, softmax") as caught:
        library.models.retrieve("nix")
    assert caught.value.code == "unknown_model"


@pytest.mark.parametrize("name", ["encoding_format", "dimensions", "user"])
def test_null_is_the_default(client: httpx.Client, name: str) -> None:
    asked = {"model": "arcface", "input": URIS}
    plain, null = (client.post("/v1/embeddings", json=one) for one in (asked, asked | {name: None}))
    assert null.status_code == 200, null.text
    assert null.json() == plain.json()


def test_what_clients_and_proxies_add_is_ignored(client: httpx.Client) -> None:
    added = {
        "input_type": "query", "truncate": "END", "extra_body": {}, "metadata": {"a": [1]},
        "timeout": 600, "drop_params": True, "loss": "softmax",
    }  # fmt: skip
    answer = client.post("/v1/embeddings", json={"model": "arcface", "input": URIS} | added)
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "arcface"


@pytest.mark.parametrize("scheme", ["DATA:image/png;BASE64,", " data:image/png;name=a.png;base64,"])
def test_a_data_uri_has_no_case(client: httpx.Client, scheme: str) -> None:
    image = scheme + URIS[0].partition(",")[2]
    answer = client.post("/v1/embeddings", json={"model": "arcface", "input": image})
    assert answer.status_code == 200, answer.text


TEXT = "images are expected, each as a data URI"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"input": "a cat"}, "undecodable_image", TEXT),
        ({"input": [URIS[0], "a cat"]}, "undecodable_image", f"image 1: .*{TEXT}"),
        ({"input": ["https://localhost/a.png"]}, "undecodable_image", TEXT),
        ({"input": ["data:image/png;base64,!"]}, "undecodable_image", "not base64"),
        ({"input": [uri(b"no image")]}, "undecodable_image", "not a JPEG, PNG"),
        ({"input": [1, 2, 3]}, "malformed_body", f"input: {TEXT}"),
        ({"input": [[1, 2], [3]]}, "malformed_body", f"input: {TEXT}"),
        ({"input": None}, "malformed_body", f"input: {TEXT}"),
        ({"input": []}, "no_image", "the body holds no image"),
        ({"input": ""}, "no_image", "the body holds no image"),
        ({}, "malformed_body", "input: Field required"),
        ({"input": URIS, "model": None}, "malformed_body", "model: "),
        ({"input": URIS, "dimensions": 3}, "malformed_body", "dimensions: arcface has 4"),
        ({"input": URIS, "dimensions": 0}, "malformed_body", "dimensions: arcface has 4"),
        ({"input": URIS, "encoding_format": "int8"}, "malformed_body", "encoding_format: "),
        ({"input": URIS, "dimensions": True}, "malformed_body", "dimensions: a number is expected"),
        ({"input": URIS, "dimensions": 10**30}, "malformed_body", "dimensions: .* beyond 64 bits"),
    ],
)
def test_bad_input_says_what_is_expected(
    client: httpx.Client, library: openai.OpenAI, body: dict[str, Any], code: str, said: str
) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match=said) as caught:
        library.post("/embeddings", body={"model": "arcface"} | body, cast_to=httpx.Response)
    assert caught.value.code == code
    plain = client.post("/v1/embeddings", json={"model": "arcface"} | body)
    problem = Problem.model_validate(plain.json())
    assert plain.headers["content-type"] == "application/problem+json"
    assert problem.error is not None
    assert (problem.code, problem.detail) == (problem.error.code, problem.error.message)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"json": {"model": "arcface", "input": URIS[:1] * 9}}, 413, "too_many_images"),
        (
            {"json": {"model": "arcface", "input": uri(picture(1, (200, 100)))}},
            413,
            "image_too_large",
        ),
        ({"json": {"model": "arcface", "input": "x" * 200_001}}, 413, "body_too_large"),
        (
            {"content": PICTURES[0], "headers": {"Content-Type": "image/png"}},
            415,
            "unsupported_media_type",
        ),
        (
            {"json": {"model": "arcface", "input": URIS}, "params": {"loss": "x"}},
            422,
            "invalid_parameter",
        ),
    ],
)
def test_the_limits_hold_here_too(
    client: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    answer = client.post("/v1/embeddings", **body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_long_body_gives_the_same_answer(tiny_registry: Path) -> None:
    """One that a thread parses."""
    with ready(tiny_registry) as client, connect(client) as library:
        short = library.embeddings.create(model="arcface", input=URIS).data
        long = library.embeddings.create(model="arcface", input=URIS * 20).data
    assert sum(map(len, URIS * 20)) > 64 * 1024
    np.testing.assert_allclose(
        [one.embedding for one in long], [one.embedding for one in short] * 20, atol=1e-6
    )


def test_only_below_v1_errors_have_openais_member(client: httpx.Client) -> None:
    assert client.get("/v1/nix").json()["error"]["code"] == "not_found"
    assert client.get("/v1/embeddings").json()["error"]["code"] == "method_not_allowed"
    for path in ("/nix", "/models/nix", "/embed"):
        assert "error" not in client.get(path).json()


def test_the_key_is_taken_as_the_library_sends_it(tiny_registry: Path) -> None:
    with ready(tiny_registry, api_key=SecretStr("hush")) as client:
        with connect(client, "hush") as library:
            assert [one.id for one in library.models.list()] == ["arcface", "softmax"]
            assert library.embeddings.create(model="arcface", input=URIS[0]).data
        with connect(client, "no") as library:
            for ask in (
                library.models.list,
                lambda: library.embeddings.create(model="arcface", input=URIS[0]),
            ):
                with pytest.raises(openai.AuthenticationError, match="Bearer") as caught:
                    ask()
                assert caught.value.code == "unauthorized"


def test_the_example_in_the_docs_works(
    client: httpx.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", API.read_text(), re.DOTALL)
    (code,) = (block for block in blocks if "openai" in block)
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(PICTURES[0])
    address = str(client.base_url).rstrip("/")
    exec(code.replace("http://127.0.0.1:8000", address), {})
    printed = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(printed, embed(client, "arcface")[0][:3], atol=1e-6)
