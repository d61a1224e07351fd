import pytest

from service.http.requests.negotiation import HTML, JSON, NPY, preferred

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "offers", "chosen"),
    [
        (None, (JSON, HTML), JSON),
        ("", (JSON, HTML), JSON),
        ("*/*", (JSON, HTML), JSON),
        (BROWSER, (JSON, HTML), HTML),
        ("text/*", (JSON, HTML), HTML),
        ("application/json", (JSON, HTML), JSON),
        ("text/html;q=0.5, application/json", (JSON, HTML), JSON),
        ("text/html, application/json", (JSON, HTML), JSON),
        ("application/json;q=0.1, TEXT/HTML; q=0.2", (JSON, HTML), HTML),
        ("application/x-npy", (JSON, NPY), NPY),
        ("application/*", (JSON, NPY), JSON),
        ("text/html;q=nonsense", (JSON, HTML), JSON),
        ("image/png", (JSON, HTML), JSON),
        (",;,", (JSON, HTML), JSON),
    ],
)
def test_the_client_gets_what_it_likes_best(
    accept: str | None, offers: tuple[str, ...], chosen: str
) -> None:
    assert preferred(accept, offers) == chosen
