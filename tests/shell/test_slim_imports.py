"""What the operator's own process does without, and what everybody else still has."""

import subprocess
import sys

import pytest

WITHOUT = ("kubernetes.client", "kubernetes.aio.dynamic", "requests", "oauthlib")
SAYS_WHAT_IS_LOADED = """
import runpy, sys
sys.argv = ["maintenance_operator", "run", "--help"]
try:
    runpy.run_module("maintenance_operator", run_name=NAME, alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
print(*(name for name in sys.modules if sys.modules[name] is not None), file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["__main__", "imported"])
def test_what_nobody_calls_is_not_loaded_by_the_operator_alone(name: str) -> None:
    code = SAYS_WHAT_IS_LOADED.replace("NAME", repr(name))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert {"kopf", "kubernetes.aio.client"} <= loaded
    assert {module: module in loaded for module in WITHOUT} == dict.fromkeys(
        WITHOUT, name != "__main__"
    )


@pytest.mark.slow
def test_where_it_is_loaded_already_nothing_is_taken_away() -> None:
    imports = "import kubernetes.client, maintenance_operator.slim_imports, kubernetes"
    code = f"{imports}; kubernetes.client.V1Pod"
    subprocess.run([sys.executable, "-c", code], check=True)
