import pytest

from service.errors import MalformedBody
from service.http.requests.json_body import loaded

HINT = "neither NaN nor infinity"


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "Infinity", "nan", "-inf"])
def test_what_python_writes_for_no_number_is_named(number: str) -> None:
    with pytest.raises(MalformedBody, match=HINT):
        loaded(f'{{"ä": [1, {number}]}}'.encode())


@pytest.mark.parametrize("body", ['{"a": [1,', '{"a": nul}', "", '{"a": "NaN" x}', "\x00"])
def test_other_faults_are_not_blamed_on_numbers(body: str) -> None:
    with pytest.raises(MalformedBody, match="not JSON") as raised:
        loaded(body.encode())
    assert HINT not in str(raised.value)


def test_json_is_loaded() -> None:
    assert loaded(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
