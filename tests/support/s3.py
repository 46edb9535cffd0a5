"""A real S3 server on a folder, and Secrets for it as a pod would have them mounted."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from maintenance_contract import StorageUri
from maintenance_trainer.store.bucket import Bucket
from support.pace import Allowance

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}
SECRET = "bucket"  # noqa: S105  # a Secret's name


@dataclass(frozen=True, slots=True)
class S3:
    """A server. Buckets are folders of ``objects``: what lies there are the objects."""

    url: str
    objects: Path
    secrets: Path

    def bucket(self, name: str) -> Path:
        """A new bucket's folder."""
        folder = self.objects / name
        folder.mkdir(exist_ok=True)
        return folder

    def secret(self, name: str, **changes: str) -> str:
        """Mount a Secret with these values; the empty ones are left out."""
        folder = self.secrets / name
        folder.mkdir(exist_ok=True)
        values = {**KEYS, "AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1", **changes}
        for key, value in values.items():
            if value:
                (folder / key).write_text(value + "\n")
        return name

    def client(self, uri: str, secret: str = SECRET) -> Bucket:
        return Bucket(StorageUri.parse(uri), secret, str(self.secrets))

    def upload(self, folder: Path, uri: str) -> None:
        """All files of a folder."""
        client = self.client(uri)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                client.put(path.relative_to(folder).as_posix(), path)


@contextlib.contextmanager
def s3_server() -> Iterator[S3]:
    """A server that runs as long as the block lasts; it is built where it is not."""
    built = subprocess.run(
        [str(ROOT / "dev/s3/build")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, f"dev/s3/build: {built.stderr[-2000:]}"
    program = Path(built.stdout.split()[-1]) / "versitygw"
    with tempfile.TemporaryDirectory(prefix="model-maintenance-s3-") as directory:
        folder = Path(directory)
        for name in ("objects", "attributes", "secrets"):
            (folder / name).mkdir()
        for _ in range(5):  # somebody else may take the port first
            process, url = _start(program, folder)
            if _ready(process, url):
                break
        else:
            raise AssertionError(f"the S3 server does not start: {(folder / 'log').read_text()}")
        try:
            server = S3(url, folder / "objects", folder / "secrets")
            server.secret(SECRET)
            yield server
        finally:
            process.terminate()
            process.wait(20)
            shutil.rmtree(folder / "objects")


def _start(program: Path, folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [program, "--port", address, "--quiet", "posix", "--sidecar"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*map(str, command), str(folder / "attributes"), str(folder / "objects")],
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"],
                "ROOT_SECRET_KEY": KEYS["AWS_SECRET_ACCESS_KEY"],
            },
        )
    return process, f"http://{address}"


def _ready(process: subprocess.Popen[bytes], url: str) -> bool:
    allowance = Allowance(90)
    while process.poll() is None and not allowance.used_up():
        try:
            urlopen(url, timeout=5).close()  # noqa: S310 - our own address
        except HTTPError as error:  # it asks who we are: it is there
            error.close()
            return True
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False
