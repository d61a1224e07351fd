"""The file parts of a multipart/form-data body, kept in memory and in order."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import MalformedBody, TooManyImages


class FileParts:
    """Collects file parts while the body streams; the body's own limit bounds the memory."""

    def __init__(self, boundary: bytes, max_files: int) -> None:
        """Prepare for a body with this boundary. Raises MalformedBody where it cannot be one."""
        self._max_files = max_files
        self._files: list[bytearray] = []
        self._header = (bytearray(), bytearray())
        self._disposition = self._type = b""
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise MalformedBody(str(error)) from None

    def write(self, chunk: bytes) -> None:
        """Take the next bytes. Raises MalformedBody or TooManyImages."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedBody(f"not multipart: {error}") from None

    def finish(self) -> list[bytes]:
        """The content of every file part, in order. Raises MalformedBody if the end is missing."""
        if not self._ended:
            raise MalformedBody("the multipart body ends before its last boundary")
        return [bytes(file) for file in self._files]

    def _on_part_begin(self) -> None:
        self._disposition = self._type = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _on_header_end(self) -> None:
        name, value = (bytes(part) for part in self._header)
        if name.lower() == b"content-disposition":
            self._disposition = value
        elif name.lower() == b"content-type":
            self._type = value
        self._header = (bytearray(), bytearray())

    def _on_headers_finished(self) -> None:
        options = parse_options_header(self._disposition)[1]
        if b"filename" not in options and not self._type.startswith((b"image/", b"application/")):
            name = options.get(b"name", b"").decode("utf-8", "replace")
            raise MalformedBody(
                f"form field {name!r} is no file; parameters go into the address, as in ?{name}=…"
            )
        if len(self._files) == self._max_files:
            raise TooManyImages(self._max_files)
        self._files.append(bytearray())

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._files[-1].extend(data[start:end])

    def _on_end(self) -> None:
        self._ended = True
