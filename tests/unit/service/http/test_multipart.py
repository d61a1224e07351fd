import pytest

from service.errors import MalformedBody, TooManyImages
from service.http.multipart import FileParts

FILES = [b"first", b"", b"\r\n--x\r\n-- almost a boundary \r\n--boundar", bytes(range(256)) * 9]


def part(content: bytes, headers: bytes) -> bytes:
    return b"--boundary\r\n" + headers + b"\r\n\r\n" + content + b"\r\n"


def file(content: bytes) -> bytes:
    return part(content, b'Content-Disposition: form-data; name="a"; filename="b.png"')


BODY = b"".join(map(file, FILES)) + b"--boundary--\r\n"


@pytest.mark.parametrize("step", [1, 2, 7, 64, 100_000])
def test_files_come_out_whole_and_in_order_however_they_arrive(step: int) -> None:
    parts = FileParts(b"boundary", 4)
    for start in range(0, len(BODY), step):
        parts.write(BODY[start : start + step])
    assert parts.finish() == FILES


def test_a_part_with_an_images_type_needs_no_file_name() -> None:
    parts = FileParts(b"boundary", 4)
    headers = b"content-disposition: form-data; name=a\r\nCONTENT-TYPE: image/png"
    parts.write(part(b"x", headers) + b"--boundary--\r\n")
    assert parts.finish() == [b"x"]


def test_a_file_too_many_is_refused_before_the_rest_arrives() -> None:
    parts = FileParts(b"boundary", 2)
    with pytest.raises(TooManyImages):
        parts.write(file(b"1") + file(b"2") + file(b"3")[:90])


@pytest.mark.parametrize("cut", [0, 10, 80, len(BODY) - 30, len(BODY) - 6])
def test_a_body_that_stops_is_malformed(cut: int) -> None:
    parts = FileParts(b"boundary", 4)
    parts.write(BODY[:cut])
    with pytest.raises(MalformedBody, match="before its last boundary"):
        parts.finish()


@pytest.mark.parametrize("body", [b"hello", b"--other\r\n", b"--boundary\r\nno colon\r\n\r\n"])
def test_what_is_not_multipart_is_malformed(body: bytes) -> None:
    parts = FileParts(b"boundary", 4)
    with pytest.raises(MalformedBody):
        parts.write(body)


def test_a_boundary_that_cannot_be_is_malformed() -> None:
    with pytest.raises(MalformedBody):
        FileParts(b"x" * 10_000, 4)


def test_a_form_field_is_pointed_to_the_address() -> None:
    parts = FileParts(b"boundary", 4)
    with pytest.raises(MalformedBody, match=r"'loss' is no file.*\?loss="):
        parts.write(part(b"softmax", b'Content-Disposition: form-data; name="loss"'))
