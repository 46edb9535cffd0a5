"""The image builder's own tests, which are in Go as it is."""

import subprocess
from pathlib import Path

import pytest

BUILDER = Path(__file__).resolve().parents[2] / "dev/images/builder"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_image_builder_links_what_it_would_unpack() -> None:
    # With the flags of its build: with others BuildKit would be compiled once more.
    result = subprocess.run(
        ["bash", "-c", "source ../../go-flags && go test ."],
        cwd=BUILDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
