"""The client as a proxy before the service names it."""

import httpx


def test_a_redirect_keeps_the_scheme_that_a_proxy_names(client: httpx.Client) -> None:
    for scheme in ("https", "http"):
        answer = client.get("/collections/", headers={"X-Forwarded-Proto": scheme})
        assert answer.status_code == 307
        assert (
            answer.headers["location"]
            == f"{scheme}://{client.base_url.netloc.decode()}/collections"
        )
