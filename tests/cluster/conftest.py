"""Clusters for the tests: a whole node for a module, a stranger's directory for a test."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster.command import ROOT, Cluster
from cluster.traces import traces


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of mm-cluster, helm and kubectl."""
    done = subprocess.run(
        [str(ROOT / "dev/cluster/build")], stdout=subprocess.PIPE, text=True, check=True
    )
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def before() -> set[str]:
    """The machine's state before the module's cluster."""
    return traces(Path("/nowhere"))


@pytest.fixture(scope="module")
def node(programs: Path, before: set[str]) -> Iterator[Cluster]:
    """A whole node with images of its own: it will be killed, and the user's images are dear.

    A machine can have one only; if another is up, ``up`` says which and how to end it.
    """
    assert os.geteuid() == 0, "the tests of the whole node need root; run them as root"
    directory = Path(tempfile.mkdtemp(prefix="mm-cluster-test-"))
    cluster = Cluster(directory / "cluster", programs, ("env", f"MM_CACHE={directory}/cache"))
    try:
        cluster.up()
        yield cluster
    finally:
        cluster.mm_cluster("down")
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def public_programs(programs: Path) -> Iterator[Path]:
    """A copy for other users: the programs' own folder may be below a home they cannot enter."""
    directory = Path(tempfile.mkdtemp(prefix="mm-cluster-test-"))
    shutil.copy(programs / "mm-cluster", directory / "mm-cluster")
    (directory / "kubectl").symlink_to("mm-cluster")
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def stranger(public_programs: Path) -> Iterator[Cluster]:
    """A directory of a user without any rights."""
    assert os.geteuid() == 0, "becoming another user needs root; run the tests as root"
    directory = Path(tempfile.mkdtemp(prefix="mm-cluster-test-"))
    os.chown(directory, 65534, 65534)
    user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    environment = ("env", f"MM_CACHE={directory}/cache", f"HOME={directory}")
    cluster = Cluster(directory / "cluster", public_programs, (*user, *environment))
    try:
        yield cluster
    finally:
        cluster.mm_cluster("down")
        shutil.rmtree(directory)
