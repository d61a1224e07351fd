import json
import random
import time
from collections.abc import Callable

import pytest

from service.errors import MalformedBody, TooManyValues
from service.http.requests import json_shape
from service.http.requests.json_body import loaded
from service.http.requests.json_shape import IMAGES, ITEMS, QUERIES, JsonShape, check_shape

MIB = 2**20
LONG = 70_000  # beyond what is not looked at
ANYTHING = JsonShape(10**9, 10**9, 10**9)


def counted(text: str) -> JsonShape:
    """One letter at a time."""
    values, texts, containers, within, escaped = 0, 0, 0, False, False
    for letter in text:
        if within:
            within = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            within, texts = True, texts + 1
        else:
            containers += letter in "[{"
            values += letter in "[{,:"
    return JsonShape(values, texts, containers)


def pieces(seed: int) -> str:
    choose = random.Random(seed)
    said, length = list[str](), 0
    while length < LONG:
        inner = "".join(choose.choices('a\\",[{:}é', k=choose.randint(0, 30)))
        said.append(choose.choice([json.dumps(inner, ensure_ascii=False), *"[]{},:1 "]))
        length += len(said[-1])
    return "".join(said)


@pytest.mark.parametrize("part_bytes", [64, 1000, 2**20])
@pytest.mark.parametrize("seed", range(4))
def test_only_what_is_outside_of_texts_counts(
    monkeypatch: pytest.MonkeyPatch, seed: int, part_bytes: int
) -> None:
    monkeypatch.setattr(json_shape, "_PART_BYTES", part_bytes)
    text = pieces(seed)
    body, there = text.encode("latin-1"), counted(text)
    check_shape(body, there)
    for name in ("values", "containers"):
        less = {**vars(there), name: getattr(there, name) - 1}
        with pytest.raises(TooManyValues) as caught:
            check_shape(body, JsonShape(**less))
        assert caught.value.limit == less[name]


def test_texts_are_counted_too() -> None:
    body = b"[" + b'"ab",' * 20_000 + b"1]"
    check_shape(body, JsonShape(10**6, 20_000, 1))
    with pytest.raises(TooManyValues):
        check_shape(body, JsonShape(10**6, 19_900, 1))


@pytest.mark.parametrize("number", [b"9" * 401, b"-" + b"1" * 4000, b"9" * LONG])
def test_a_number_that_would_take_long_is_refused(number: bytes) -> None:
    body = b"[" + b"1," * LONG + number + b"]"
    with pytest.raises(MalformedBody, match="more than 400 digits"):
        check_shape(body, ANYTHING)
    check_shape(b'["' + body[1:-1] + b'"]', ANYTHING)  # a text may have them


def test_a_number_of_as_many_digits_as_may_be_is_taken() -> None:
    numbers = [b"1" * json_shape.DIGITS, b"0." + b"2" * 399, b"-" + b"3" * 310 + b"e1"]
    check_shape(b"[" + b",".join(numbers * 100) + b"]", ANYTHING)


@pytest.mark.parametrize("number", ["7" * 20, "-" + "7" * 20, "7" * 25 + ".5"])
def test_few_integers_may_be_beyond_64_bits(number: str) -> None:
    most = json_shape.LONG_INTEGERS
    few = "[" + f"{number}," * (most - 100) + "1," * 100_000 + "1]"
    check_shape(few.encode(), ANYTHING)
    with pytest.raises(TooManyValues, match="20 digits"):
        check_shape(("[" + f"{number}, " * (most + 100) + "1]").encode(), ANYTHING)


@pytest.mark.parametrize("number", ["7" * 19, "0." + "1" * 25, "0.1234567890123456789012e-5"])
def test_many_numbers_may_have_fractions(number: str) -> None:
    check_shape(("[" + f"{number}," * 700_000 + "1]").encode(), ANYTHING)


def test_what_people_send_is_taken() -> None:
    vectors = [[-0.15256716] * 64] * 1000
    check_shape(json.dumps({"vectors": vectors}).encode(), QUERIES)
    check_shape(json.dumps({"images": ["A" * 100_000] * 256}).encode(), IMAGES)
    metadata = {f"key {n}": "[a](b), {c}: " * 20 for n in range(8)}
    item = {"id": "x", "label": "y", "vector": "A" * 344, "metadata": metadata}
    check_shape(json.dumps({"items": [item] * 10_000}).encode(), ITEMS)
    assert loaded(json.dumps({"items": [item] * 100}).encode()) == {"items": [item] * 100}


def filled(opening: bytes, unit: bytes, closing: bytes) -> bytes:
    return opening + unit * (8 * MIB // len(unit)) + closing


COSTLY: dict[str, Callable[[], bytes]] = {
    "empty lists": lambda: filled(b"[", b"[],", b"1]"),
    "empty objects": lambda: filled(b"[", b"{},", b"1]"),
    "empty texts": lambda: filled(b"[", b'"",', b"1]"),
    "integers": lambda: filled(b"[", b"1,", b"1]"),
    "integers of 20 digits": lambda: filled(b"[", b"7" * 20 + b",", b"1]"),
    "floats": lambda: filled(b"[", b"0.1,", b"1]"),
    "keys": lambda: b"{" + b",".join(b'"%x":1' % n for n in range(800_000)) + b"}",
    "depth of lists": lambda: filled(b"", b"[", b""),
    "depth of objects": lambda: filled(b"", b'{"a":', b""),
    "numbers of 4,000 digits": lambda: filled(b"[", b"9" * 4000 + b",", b"1]"),
    "numbers of 399 digits": lambda: filled(b"[", b"9" * 399 + b",", b"1]"),
    "numbers of 299 digits": lambda: filled(b"[", b"9" * 299 + b",", b"1]"),
    "one number": lambda: filled(b"", b"9", b""),
    "long key": lambda: filled(b'{"', b"a", b'":1}'),
    "escapes": lambda: filled(b'["', b"\\u0041", b'"]'),
    "escaped quotes": lambda: filled(b'["', b',\\"', b'"]'),
    "backslashes": lambda: filled(b'["', b"\\\\", b'"]'),
    "brackets in a text": lambda: filled(b'["', b"[{,:", b'"]'),
    "spaces": lambda: filled(b"[", b" ", b"1]"),
}


@pytest.mark.parametrize("what", COSTLY)
def test_no_body_costs_more_than_it_may(what: str) -> None:
    """The promise is 2 CPU seconds for a MiB; a tenth of that for the parsing of JSON."""
    body = COSTLY[what]()
    started = time.process_time()
    try:
        loaded(body)
    except (MalformedBody, TooManyValues) as error:
        assert len(str(error)) < 200
    assert time.process_time() - started < 0.2 * len(body) / MIB
