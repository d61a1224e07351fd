from service.http.transport.upgrade import without_offer


def test_only_the_offer_goes() -> None:
    headers = [
        (b"host", b"x"),
        (b"upgrade", b"h2c"),
        (b"http2-settings", b"AAE"),
        (b"connection", b"Upgrade, HTTP2-Settings , close"),
        (b"connection", b"upgrade"),
        (b"content-length", b"3"),
        (b"empty", b""),
    ]
    assert without_offer(b"POST", b"/a?b", "1.1", headers) == (
        b"POST /a?b HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n"
        b"empty: \r\n\r\n"
    )
