"""The OpenAPI document, arranged for the page `/docs`."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

_REFERENCE = "#/components/schemas/"
_CODE = re.compile(r"`([^`]+)`")
_TITLES = {"images": "Images", "home": "Pages", "health": "Health and metrics"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation."""

    name: str
    place: str  # path or query
    required: bool
    kind: Markup
    about: Markup
    field: str  # the input that asks for it: text, number, checkbox or choice
    choices: tuple[str, ...]
    default: str


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    id: str
    method: str
    path: str
    brief: Markup  # the first sentence of `about`
    about: Markup
    parameters: tuple[Parameter, ...]
    sent: tuple[str, ...]  # content types of the body
    example: str  # of a body in JSON
    answers: tuple[tuple[str, Markup, Markup], ...]  # status, description, schema
    problems: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True)
class SchemaView:
    """One named value of the document."""

    name: str
    about: Markup
    fields: tuple[tuple[str, Markup, Markup], ...]  # name, type, description


@dataclass(frozen=True)
class Manual:
    """The whole document."""

    about: Markup
    groups: tuple[tuple[str, tuple[Operation, ...]], ...]
    schemas: tuple[SchemaView, ...]


def arrange(document: Mapping[str, Any]) -> Manual:
    """Arrange a document by its tags, in the order of its paths."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            tag = found["tags"][0]
            groups.setdefault(tag, []).append(_operation(method, path, found))
    schemas = document["components"]["schemas"]
    return Manual(
        prose(document["info"]["description"]),
        tuple((_titled(tag), tuple(found)) for tag, found in groups.items()),
        tuple(_schema(name, schemas[name]) for name in sorted(schemas)),
    )


def prose(text: str) -> Markup:
    """Paragraphs of a docstring as HTML; what stands in backticks is code."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return Markup("").join(Markup("<p>{}</p>").format(_inline(one)) for one in paragraphs if one)


def _inline(text: str) -> Markup:
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text)).replace("*Images*", "Images")))  # noqa: S704 - escaped before


def _titled(tag: str) -> str:
    return _TITLES.get(tag, tag[:1].upper() + tag[1:])


def _operation(method: str, path: str, found: Mapping[str, Any]) -> Operation:
    content = found.get("requestBody", {}).get("content", {})
    answers, problems = [], []
    for status, answer in found["responses"].items():
        about = _inline(answer.get("description", ""))
        if int(status) < 400:
            kinds = [_media(media, one) for media, one in answer.get("content", {}).items()]
            answers.append((status, about, Markup(", ").join(kinds)))
        else:
            problems.append((status, about))
    description = found.get("description") or found.get("summary", "")
    return Operation(
        id=found["operationId"],
        method=method.upper(),
        path=path,
        brief=_inline(_first_sentence(description)),
        about=prose(description),
        parameters=tuple(_parameter(one) for one in found.get("parameters", ())),
        sent=tuple(content),
        example=_example(content.get("application/json", {})),
        answers=tuple(answers),
        problems=tuple(sorted(problems)),
    )


def _first_sentence(text: str) -> str:
    """The first sentence, without its full stop; a colon ends it as well."""
    return re.split(r"[.:](?:\s|$)", " ".join(text.split()), maxsplit=1)[0]


def _media(media: str, content: Mapping[str, Any]) -> Markup:
    schema = content.get("schema", {})
    return Markup("<code>{}</code> {}").format(media, _kind(schema) if "$ref" in schema else "")


def _parameter(found: Mapping[str, Any]) -> Parameter:
    schema = found["schema"]
    options = [one for one in schema.get("anyOf", (schema,)) if one.get("type") != "null"]
    one = options[0] if options else schema
    default = schema.get("default")
    choices = tuple(map(str, one.get("enum", ())))
    return Parameter(
        name=found["name"],
        place=found["in"],
        required=found.get("required", False),
        kind=_kind(one) + _bounds(one),
        about=_inline(found.get("description", "")),
        field="choice" if choices else {"integer": "number", "number": "number",
                                        "boolean": "checkbox"}.get(one.get("type", ""), "text"),
        choices=choices,
        default="" if default in (None, []) else str(default),
    )  # fmt: skip


def _bounds(schema: Mapping[str, Any]) -> Markup:
    low = schema.get("minimum", schema.get("ge"))
    high = schema.get("maximum", schema.get("le"))
    said = [f"from {low}"] if low is not None else []
    if high is not None and high < 2**31:
        said.append(f"to {high}")
    return Markup(" {}").format(" ".join(said)) if said else Markup("")


def _kind(schema: Mapping[str, Any]) -> Markup:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return Markup('<a href="#schema-{}">{}</a>').format(name, name)
    if "anyOf" in schema or "oneOf" in schema:
        return Markup(" or ").join(_kind(one) for one in schema.get("anyOf") or schema["oneOf"])
    if "enum" in schema:
        return Markup(" or ").join(Markup("<code>{}</code>").format(one) for one in schema["enum"])
    if "const" in schema:
        return Markup("<code>{}</code>").format(schema["const"])
    if schema.get("type") == "array":
        return Markup("list of {}").format(_kind(schema.get("items", {})))
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(_kind(schema["additionalProperties"]))
    kinds = schema.get("type", "anything")
    return escape(" or ".join(kinds) if isinstance(kinds, list) else kinds)


def _schema(name: str, found: Mapping[str, Any]) -> SchemaView:
    required = set(found.get("required", ()))
    fields = tuple(
        (
            field + ("" if field in required else " (optional)"),
            _kind(one) + _bounds(one),
            _inline(one.get("description", "")),
        )
        for field, one in found.get("properties", {}).items()
    )
    return SchemaView(name, prose(found.get("description", "")), fields)


def _example(content: Mapping[str, Any]) -> str:
    examples = content.get("examples") or content.get("schema", {}).get("examples")
    if isinstance(examples, dict):
        examples = [one.get("value") for one in examples.values()]
    example = content.get("example", examples[0] if examples else None)
    return "" if example is None else json.dumps(example, indent=2)
