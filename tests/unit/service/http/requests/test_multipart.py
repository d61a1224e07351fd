import random

import pytest

from service.errors import MalformedBody, TooManyImages
from service.http.requests.multipart import HEADERS_MAX_BYTES, boundary, file_parts

FILES = [b"first", b"", b"\r\n--x\r\n-- almost a boundary \r\n--boundar", bytes(range(256)) * 9]
NAMED = b'Content-Disposition: form-data; name="a"; filename="b.png"'


def part(content: bytes, headers: bytes = NAMED) -> bytes:
    return b"--boundary\r\n" + headers + b"\r\n\r\n" + content + b"\r\n"


def read(body: bytes, max_files: int = 4) -> list[bytes]:
    return file_parts(body, "boundary", max_files)


END = b"--boundary--\r\n"
BODY = b"".join(map(part, FILES)) + END


def test_files_come_out_whole_and_in_order() -> None:
    assert read(BODY) == FILES


@pytest.mark.parametrize("before", [b"", b"\r\n", b"\r\n\r\n"])
@pytest.mark.parametrize("after", [b"--boundary--", END, END + b"epilogue\r\n" + BODY])
def test_what_may_stand_around_the_parts_changes_nothing(before: bytes, after: bytes) -> None:
    assert read(before + part(b"x") + after) == [b"x"]


def test_a_body_without_parts_holds_no_files() -> None:
    assert read(END) == []


@pytest.mark.parametrize(
    "headers",
    [
        b"content-disposition: form-data; name=a\r\nCONTENT-TYPE: Image/PNG",
        b"Content-Type: application/octet-stream; charset=binary",
        b'Content-Disposition: form-data; name="a"; filename=""',
        b'Content-Disposition:form-data;name="a";filename="\xe9.png"\r\nContent-Type: text/plain',
        b"Content-Disposition: form-data; name=a; filename*=utf-8''%C3%A9.png",
        NAMED + b"\r\nContent-Length: 1\r\nX-Long: " + b"x" * 8_000,
        NAMED + b"\r\nX-Many: 1" * 100,
    ],
)
def test_a_name_or_a_type_makes_a_file(headers: bytes) -> None:
    assert read(part(b"x", headers) + END) == [b"x"]


def test_many_parts_and_a_large_one_are_taken() -> None:
    files = [b"%d" % i for i in range(3_000)] + [bytes(5_000_000)]
    assert read(b"".join(map(part, files)) + END, max_files=3_001) == files


def test_a_file_too_many_is_refused() -> None:
    assert read(part(b"1") + part(b"2") + END, max_files=2) == [b"1", b"2"]
    with pytest.raises(TooManyImages) as refused:
        read(part(b"1") + part(b"2") + part(b"3") + END, max_files=2)
    assert refused.value.limit == 2


def test_a_body_that_stops_is_malformed_wherever_it_stops() -> None:
    for cut in range(len(BODY) - len("\r\n")):
        with pytest.raises(MalformedBody):
            read(BODY[:cut])


@pytest.mark.parametrize("cut", [12, 80, len(BODY) - 30, len(BODY) - 6])
def test_a_body_that_stops_is_reported_so(cut: int) -> None:
    with pytest.raises(MalformedBody, match="before its last boundary"):
        read(BODY[:cut])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "does not begin with its boundary"),
        (b"hello", "does not begin with its boundary"),
        (b"preamble" + BODY, "does not begin with its boundary"),
        (b"--other\r\n" + END, "does not begin with its boundary"),
        (part(b"x", b"no colon") + END, "no colon"),
        (b"--boundaryX\r\n" + NAMED + b"\r\n\r\n\r\n" + END, "does not begin with its headers"),
        (b"--boundary\r\n" + NAMED + b"\n\n\r\n" + END, "does not begin with its headers"),
        (b"--boundary\r\n" + END, "does not begin with its headers"),
        (part(b"x", NAMED + b"x" * HEADERS_MAX_BYTES) + END, "does not begin with its headers"),
    ],
)
def test_what_is_not_multipart_is_malformed(body: bytes, said: str) -> None:
    with pytest.raises(MalformedBody, match=said):
        read(body)


def test_hostile_bytes_are_files_or_malformed() -> None:
    chance, refused = random.Random(4), 0
    for _ in range(2_000):
        body = bytearray(BODY)
        for _ in range(chance.choice([1, 2, 8])):
            body[chance.randrange(len(body))] = chance.choice([0, 10, 13, 32, 34, 37, 58, 92, 255])
        try:
            assert read(bytes(body))
        except MalformedBody:
            refused += 1
    assert 0 < refused < 2_000


@pytest.mark.parametrize("wrong", ["", "x" * 71, "é"])
def test_a_boundary_that_cannot_be_is_malformed(wrong: str) -> None:
    with pytest.raises(MalformedBody):
        boundary(f"multipart/form-data; boundary={wrong}")


@pytest.mark.parametrize(
    "field",
    [
        b'Content-Disposition: form-data; name="loss"',
        b"Content-Disposition: form-data; name=loss\r\nContent-Type: text/plain",
    ],
)
def test_a_form_field_is_pointed_to_the_address(field: bytes) -> None:
    with pytest.raises(MalformedBody, match=r"'loss' is not a file.*\?loss="):
        read(part(b"x") + part(b"softmax", field) + END)


def test_a_part_that_says_nothing_is_no_file() -> None:
    with pytest.raises(MalformedBody, match="'' is not a file"):
        read(part(b"x", b"X-Other: 1") + END)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=boundary",
        'Multipart/Form-Data;charset=utf-8;BOUNDARY="boundary"',
    ],
)
def test_the_boundary_is_in_the_content_type(content_type: str) -> None:
    assert boundary(content_type) == "boundary"


@pytest.mark.parametrize("content_type", ["", "multipart/form-data", "a/b; boundary=", ";;="])
def test_a_content_type_without_a_boundary_is_malformed(content_type: str) -> None:
    with pytest.raises(MalformedBody, match="names no boundary"):
        boundary(content_type)
