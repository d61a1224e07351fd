"""The table of errors is total, and OpenAPI says what each route can answer."""

from inspect import signature
from typing import Any

import httpx
import pytest

from models.errors import ModelsError
from service.errors import ServiceError
from service.http.responses.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMETER,
    MEDIA_TYPE,
    TABLE,
    answer_for,
)
from service.http.responses.schemas import Problem
from tests.support.serving import routes


def leaves(base: type[Exception]) -> list[type[Exception]]:
    below = base.__subclasses__()
    return [leaf for child in below for leaf in leaves(child)] if below else [base]


@pytest.mark.parametrize("error", [*leaves(ServiceError), *leaves(ModelsError)])
def test_every_error_has_its_answer(error: type[Exception]) -> None:
    assert error in TABLE


def test_the_test_would_notice_a_missing_error() -> None:
    class Forgotten(ServiceError):
        """Nobody mapped it."""

    assert Forgotten in leaves(ServiceError)
    assert Forgotten not in TABLE
    assert answer_for(Forgotten()) is INTERNAL_ERROR


def test_a_code_means_one_thing() -> None:
    by_code: dict[str, set[tuple[int, str]]] = {}
    for answer in (*TABLE.values(), INVALID_PARAMETER, INTERNAL_ERROR):
        by_code.setdefault(answer.code, set()).add((answer.status, answer.title))
    assert all(len(meanings) == 1 for meanings in by_code.values())


def test_facts_never_hide_a_problems_own_members() -> None:
    own = {"type", "title", "status", "detail", "code", "request_id", "error"}
    assert own <= set(Problem.model_fields)
    for error in TABLE:
        assert not set(signature(error).parameters) & own, error


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_no_schema_is_named_after_a_module(document: dict[str, Any]) -> None:
    assert not [name for name in document["components"]["schemas"] if "__" in name]


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_every_route_is_documented(document: dict[str, Any]) -> None:
    assert {f"{method} {path}" for method, path in routes()} == set(operations(document))


IMAGES = {
    "body_too_large", "too_many_images", "image_too_large", "too_many_pixels",
    "unsupported_media_type",
    "bodies_full",
    "too_many_values", "unsupported_content_encoding", "malformed_body",
    "no_image", "undecodable_image", "overloaded", "stopping",
    "deadline_exceeded", "unknown_model", "model_damaged", "not_ready",
}  # fmt: skip
MODEL = {"unknown_model", "model_damaged", "not_ready"}
COLLECTION = {
    "unknown_model", "collection_damaged", "collection_busy", "stopping", "deadline_exceeded",
    "too_many_open_files",
}  # fmt: skip
BODY = {
    "body_too_large", "bodies_full", "malformed_body", "unsupported_media_type",
    "too_many_values", "unsupported_content_encoding",
}  # fmt: skip
WRITE = {"storage_full", "storage_read_only"}
VECTORS = (
    IMAGES
    | COLLECTION
    | {"model_mismatch", "precision_mismatch", "too_many_items", "invalid_items"}
)


@pytest.mark.parametrize(
    ("operation", "codes"),
    [
        ("POST /embed", IMAGES),
        (
            "POST /classify",
            IMAGES
            | COLLECTION
            | {"no_labels", "one_label", "model_mismatch", "precision_mismatch"}
            | {"index_unavailable"},
        ),
        (
            "POST /verify",
            VECTORS
            | {"unknown_item", "index_unavailable", "pairs_not_measured", "metric_mismatch"}
            | {"rate_unreachable", "vectors_of_another_model"},
        ),
        ("GET /collections/{name}/evaluation", COLLECTION | {"no_labels", "one_label"}),
        (
            "POST /neighbors",
            VECTORS | {"unknown_item", "invalid_filter", "index_unavailable"},
        ),
        ("POST /compare", IMAGES),
        (
            "PUT /collections/{name}",
            COLLECTION
            | MODEL
            | WRITE
            | {"collection_differs", "invalid_collection_name", "index_unavailable"}
            | {"body_too_large", "bodies_full", "malformed_body", "unsupported_media_type"}
            | {"too_many_values", "unsupported_content_encoding"},
        ),
        ("GET /collections", {"stopping", "deadline_exceeded", "too_many_open_files"}),
        ("GET /collections/{name}", COLLECTION | {"index_unavailable"}),
        ("DELETE /collections/{name}", COLLECTION | {"storage_read_only"}),
        ("POST /collections/{name}/snapshot", COLLECTION | WRITE),
        ("POST /collections/{name}/items", VECTORS | WRITE),
        ("GET /collections/{name}/map", COLLECTION),
        ("GET /collections/{name}/points", COLLECTION | {"unknown_map"}),
        ("GET /collections/{name}/ids", COLLECTION),
        ("PUT /collections/{name}/label", COLLECTION | WRITE | BODY | {"unknown_item"}),
        (
            "POST /collections/{name}/copy",
            COLLECTION | WRITE | BODY | {"unknown_item", "model_mismatch"},
        ),
        ("GET /collections/{name}/items", COLLECTION),
        ("GET /collections/{name}/items/{id}", COLLECTION | {"unknown_item"}),
        ("DELETE /collections/{name}/items/{id}", COLLECTION | WRITE | {"unknown_item"}),
        (
            "GET /collections/{name}/thumbnails/{id}",
            COLLECTION | {"unknown_item", "unknown_image"},
        ),
        ("GET /collections/{name}/images/{id}", COLLECTION | {"unknown_item", "unknown_image"}),
        ("GET /collections/{name}/item", COLLECTION | {"unknown_item"}),
        ("DELETE /collections/{name}/item", COLLECTION | WRITE | {"unknown_item"}),
        ("GET /collections/{name}/thumbnail", COLLECTION | {"unknown_item", "unknown_image"}),
        ("GET /collections/{name}/image", COLLECTION | {"unknown_item", "unknown_image"}),
        ("POST /v1/embeddings", IMAGES),
        ("GET /v1/models", set()),
        ("GET /v1/models/{model}", MODEL),
        ("GET /models", set()),
        ("GET /models/{loss}", {"unknown_model"}),
        ("GET /models/{loss}/thumbnails/{row}.jpg", MODEL | {"unknown_thumbnail"}),
        ("GET /report", {"unknown_comparison"}),
        ("GET /report/{loss}", MODEL),
        (
            "GET /report/{loss}/threshold",
            MODEL | {"pairs_not_measured", "precision_mismatch", "rate_unreachable"},
        ),
        (
            "GET /report/figures/{name}.svg",
            {"unknown_figure", "unknown_comparison", "comparison_damaged"},
        ),
        ("GET /report/{loss}/figures/{name}.svg", MODEL | {"unknown_figure"}),
        ("GET /report/{loss}/map", MODEL | {"unknown_map"}),
        ("GET /report/{loss}/points", MODEL | {"unknown_map"}),
        ("GET /report/sheets/{sha256}/{index}.jpg", {"unknown_sheet"}),
        (
            "GET /report/{loss}/confusions/{true}/{predicted}",
            MODEL | {"unknown_map", "unknown_class"},
        ),
        ("GET /report/{loss}/mislabeled", MODEL | {"unknown_map"}),
        ("POST /report/{loss}/position", IMAGES | {"unknown_map"}),
        ("GET /metrics", set()),
        ("GET /", set()),
    ],
)
def test_a_route_lists_what_it_can_answer(
    document: dict[str, Any], operation: str, codes: set[str]
) -> None:
    responses = operations(document)[operation]["responses"]
    always = {
        *("unauthorized", "invalid_parameter", "internal_error", "invalid_host"),
        *("host_not_allowed", "malformed_request", "incomplete_request", "request_timeout"),
        *("target_too_long", "headers_too_large", "not_implemented", "unsupported_version"),
        *(() if operation.startswith("GET") else ("cross_site",)),
    }
    listed = {
        code.split("`")[1]
        for status, response in responses.items()
        if int(status) >= 400
        for code in response["description"].split("; ")
    }
    assert listed == codes | always
    for status, response in responses.items():
        if int(status) >= 400:
            schema = response["content"][MEDIA_TYPE]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}


def test_the_images_body_is_described(document: dict[str, Any]) -> None:
    for path in ("/embed", "/classify", "/neighbors", "/compare", "/verify"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert {"image/*", "multipart/form-data", "application/json"} <= set(content)


def test_the_bodies_of_collections_are_described(document: dict[str, Any]) -> None:
    def members(method: str, path: str) -> set[str]:
        body = document["paths"][path][method]["requestBody"]["content"]["application/json"]
        return set(body["schema"]["properties"])

    item = document["components"]["schemas"]["NewItemBody"]
    assert members("post", "/collections/{name}/items") == {"items", "model_sha256"}
    assert set(item["properties"]) == {"id", "image", "vector", "label", "metadata"}
    assert members("put", "/collections/{name}") == {
        "loss", "version", "metric", "index", "keep_images",
    }  # fmt: skip
    assert members("post", "/neighbors") == {"images", "vectors", "ids", "filter", "model_sha256"}


def test_the_body_of_openais_clients_is_described(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/embeddings"]["post"]["requestBody"]["content"]
    schema = body["application/json"]["schema"]
    assert set(schema["required"]) == {"model", "input"}
    assert set(schema["properties"]) == {
        "model", "input", "encoding_format", "dimensions", "user",
    }  # fmt: skip


def test_only_compare_takes_several_losses(document: dict[str, Any]) -> None:
    for path in ("/embed", "/classify", "/neighbors", "/compare"):
        parameters = document["paths"][path]["post"]["parameters"]
        schema = next(one["schema"] for one in parameters if one["name"] == "loss")
        assert (schema.get("type") == "array") == (path == "/compare")


def test_every_reference_in_the_document_resolves(document: dict[str, Any]) -> None:
    def check(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(reference := node.get("$ref"), str):
                assert reference.rsplit("/", 1)[1] in document["components"]["schemas"]
            for value in node.values():
                check(value)
        elif isinstance(node, list):
            for value in node:
                check(value)

    check(document)
