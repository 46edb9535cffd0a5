"""What `helm test` runs in the operator's image; URL and version of the operator are arguments."""

import sys
import time
import urllib.error
import urllib.request
from http import HTTPStatus

PATIENCE_SECONDS = 120


def get(url: str) -> tuple[int, str]:
    """Status and text of a page, or 0 and why there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310 - the chart's own Service
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def main(server: str, version: str) -> int:
    """0: ready, and of that version."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := get(f"{server}/readyz"))[0] != HTTPStatus.OK:
        print(f"{server}/readyz: {found[0] or 'no answer'}: {found[1].strip()}", flush=True)
        if time.monotonic() > deadline:
            print("FAILED: the operator does not watch; its log says why", flush=True)
            return 1
        time.sleep(2)
    _, metrics = get(f"{server}/metrics")
    info = [
        line for line in metrics.splitlines() if line.startswith("model_maintenance_build_info")
    ]
    if not any(f'version="{version}"' in line for line in info):
        print(f"FAILED: version {version} is expected to run, not {info or metrics[:200]}")
        return 1
    print(f"ok: version {version} answers at {server} and watches")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
