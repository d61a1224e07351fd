"""Numbers on the command line of the service's commands."""

import pytest

from service.__main__ import main


@pytest.mark.parametrize("value", ["0", "-1", "nan", "1e9", "1000000000000", "x", ""])
@pytest.mark.parametrize(
    "words", [("index", ".", "--collection=c", "--batch"), ("reembed", "c", "--version")]
)
def test_what_a_number_cannot_be_is_refused_in_a_line(
    words: tuple[str, ...], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    *before, option = words
    with pytest.raises(SystemExit) as ended:
        main([*before, f"{option}={value}"])
    assert ended.value.code == 2
    assert f"error: argument {option}: must be" in capsys.readouterr().err.splitlines()[-1]
