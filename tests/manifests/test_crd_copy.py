"""The CRD has one source; the chart holds a copy."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import ROOT

CRD = ROOT / "manifests/crd/modelmaintenances.yaml"
COPY = ROOT / "charts/model-maintenance/files/modelmaintenances.yaml"


def test_the_charts_copy_of_the_crd_is_the_source() -> None:
    assert COPY.read_bytes() == CRD.read_bytes()


@pytest.mark.slow
def test_sync_crd_repairs_and_reports_a_difference(tmp_path: Path) -> None:
    for source in ("dev/sync_crd.py", "manifests/crd/modelmaintenances.yaml"):
        (tmp_path / source).parent.mkdir(parents=True)
        (tmp_path / source).write_bytes((ROOT / source).read_bytes())
    command = [sys.executable, str(tmp_path / "dev/sync_crd.py")]
    copy = tmp_path / "charts/model-maintenance/files/modelmaintenances.yaml"

    missing = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    subprocess.run(command, check=True, capture_output=True)
    equal = subprocess.run([*command, "--check"], capture_output=True, check=False)

    assert (missing.returncode, equal.returncode) == (1, 0)
    assert "run python dev/sync_crd.py" in missing.stderr
    assert copy.read_bytes() == CRD.read_bytes()
