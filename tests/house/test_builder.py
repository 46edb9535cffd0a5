"""The image builder's own tests, which are in Go as it is."""

import os
import subprocess
from pathlib import Path

import pytest

BUILDER = Path(__file__).resolve().parents[2] / "dev/images/builder"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_image_builder_links_what_it_would_unpack() -> None:
    result = subprocess.run(
        ["go", "test", "-trimpath", "."],
        cwd=BUILDER,
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
