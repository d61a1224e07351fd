"""`python -m service.health`: whether the service of this container is ready. For HEALTHCHECK."""

import os
import sys
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

_PATIENCE_S = 4


def main() -> int:
    """0 where the service of LOSSATLAS_PORT says that it is ready, else 1."""
    given = os.environ.get("LOSSATLAS_PORT", "")
    port = given if given.isdecimal() else "8000"  # Kubernetes may have put an address there
    try:
        # Past any proxy that the environment names: this never leaves the machine.
        build_opener(ProxyHandler({})).open(
            f"http://127.0.0.1:{port}/health/ready", timeout=_PATIENCE_S
        )
    except (URLError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - Docker keeps what a check says
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
