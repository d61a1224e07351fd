import base64
import random
import time
import urllib.parse

import pytest

from service.http.requests.base64_text import NotBase64, is_data_uri, read_base64

DATA = [random.Random(n).randbytes(n) for n in range(40)] + [b"\xfb\xff\xfe" * 20]
HEAD = "data:image/png;base64,"


def forms(data: bytes) -> dict[str, str]:
    plain = base64.b64encode(data).decode()
    urls = base64.urlsafe_b64encode(data).decode()
    return {
        "plain": plain,
        "in lines": base64.encodebytes(data).decode(),
        "in lines of Windows": base64.encodebytes(data).decode().replace("\n", "\r\n"),
        "in lines of PEM": "\n".join(plain[i : i + 64] for i in range(0, len(plain), 64)),
        "URL-safe": urls,
        "unpadded": plain.rstrip("="),
        "URL-safe, unpadded": urls.rstrip("="),
        "spaces around": f" {plain}\n",
        "data URI": HEAD + plain,
        "in capitals": f"DATA:IMAGE/PNG;BASE64,{plain}",
        "with parameters": f"data:image/png;charset=utf-8;name=a b.png; base64 ,{plain}",
        "without a type": f"data:;base64,{plain}",
        "space before": f"\n data:image/png;base64,{plain}",
        "percent-encoded": HEAD + urllib.parse.quote(plain, safe=""),
        "percent-encoded, lower case": HEAD + urllib.parse.quote(plain, safe="").lower()
        if plain.lower() == plain
        else HEAD + plain.replace("+", "%2b").replace("/", "%2f").replace("=", "%3d"),
        "percent-encoded lines": HEAD + base64.encodebytes(data).decode().replace("\n", "%0A"),
        "URL-safe data URI": HEAD + urls,
    }


@pytest.mark.parametrize("form", forms(b""))
def test_every_form_says_the_same(form: str) -> None:
    for data in DATA:
        assert read_base64(forms(data)[form]) == data


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://localhost/a.png", "addresses are not fetched"),
        (" HTTPS://example.com/AAAA", "addresses are not fetched"),
        ("file:///etc/passwd", "addresses are not fetched"),
        ("data:image/png", "has no comma"),
        ("data:image/png,AAAA", "is not base64; write"),
        ("data:image/png;charset=base64url,AAAA", "is not base64; write"),
        ("AAAAA", "cut off, at 5 letters"),
        ("AA=A", "it has '='"),
        ("AA====", "more than two '='"),
        ("A===", "more than two"),
        ("AA$A", r"it has '\$'"),
        ("b'AAAA'", 'it has "\'"'),
        ("AA\u00e9A", "it has '\u00e9'"),
        ("AA\ud800A", "it has"),
        ("AA\0A", "it has"),
        (HEAD + "AA%41A", "it has '%'"),
        ("AA%3D%3D", "it has '%'"),
    ],
)
def test_a_refusal_names_the_cause(text: str, reason: str) -> None:
    with pytest.raises(NotBase64, match=reason):
        read_base64(text)


@pytest.mark.parametrize("text", ["data:,", " DATA:x", "\n\tdata:"])
def test_data_uris_are_known_by_their_beginning(text: str) -> None:
    assert is_data_uri(text)
    assert not is_data_uri("AAAA" + text)


MIB = 2**20
COSTLY = [
    "A A " * (MIB // 4),
    " " * MIB,
    "=" * MIB,
    HEAD + "%2B" * (MIB // 3),
    HEAD + "%" * MIB,
    "data:" + ";base64" * (MIB // 7) + ",AAAA",
    "data:" + "," * MIB,
    "$" * MIB,
    "\u00e9" * (MIB // 2),
]


@pytest.mark.parametrize("text", COSTLY, ids=range(len(COSTLY)))
def test_no_text_costs_much(text: str) -> None:
    started = time.process_time()
    try:
        read_base64(text)
    except NotBase64 as error:
        assert len(str(error)) < 200
    assert time.process_time() - started < 1
