"""The same work by KEDA and by this operator, one after the other; see ``keda --help``."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fleet import QUERY, Fleet, body_of, create_champion, fleet, name_of
from records import Request, during, writes
from rounds import asked
from scale import RAW_CLIENTS, requests_of
from support.api import Api, path, until
from support.control_plane import ROOT, ControlPlane, own_control_plane
from support.operator import operator
from support.prometheus import free_port
from surroundings import cpu_seconds, resident_mib
from world import NAMESPACE, USER, few_at_once, install, kubeconfig_of

DESCRIPTION: Final = """\
1,000 models, a series each, looked at every 5 s, by two operators one after the other on control
planes of their own: KEDA 2.21 (a ScaledJob with a Prometheus trigger each, its own query each, as a
trigger has no way to pick a series from a shared one) and this one (a ModelMaintenance each, one
query text for all). The first use builds KEDA from its Go module (dev/keda/build).

  ready_seconds               process start, all resources there -> every one says Ready
  rss_mib, cpu_cores          over an idle minute
  prometheus_queries_per_minute, api_writes_per_minute
  breach_seconds              the series falls, at any moment of an interval -> a Job is stored
  raw_status_writes_per_second   ours, written again by a client that does nothing else: what the
                              API server can take on these processors

KEDA starts a Job for whatever its query says; this operator a diagnosis, after which it decides.
"""

INTERVAL: Final = 5
IDLE_SECONDS: Final = 60.0
READY_SECONDS: Final = 600.0
BREACH_SECONDS: Final = 60.0
BREACHES: Final = 9
KEDA_NAMESPACE: Final = "keda"
KEDA_USER: Final = f"system:serviceaccount:{KEDA_NAMESPACE}:keda-operator"
SCALED_JOBS: Final = f"/apis/keda.sh/v1alpha1/namespaces/{NAMESPACE}/scaledjobs"
KEDA_MODULE: Final = "github.com/kedacore/keda/v2"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of one of the two."""

    ready_seconds: float
    rss_mib: float
    cpu_cores: float
    prometheus_queries_per_minute: float
    api_writes_per_minute: float
    breach_seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """One of the two, as far as measuring needs to know it."""

    user: str
    pid: int
    plural: str
    """The path of its resources."""
    of_job: Callable[[dict[str, Any]], str]
    """The model that a Job is for."""


# --- KEDA -------------------------------------------------------------------------------


def scaled_job(number: int, server: str) -> dict[str, Any]:
    """A Job whenever the model's accuracy is below .9."""
    name = name_of(number)
    container = {"name": "trainer", "image": "model-maintenance/trainer:test"}
    trigger = {
        "type": "prometheus",
        "metadata": {
            "serverAddress": server,
            "query": f'({QUERY}{{model="{name}"}} < bool 0.9)',
            "threshold": "1",
        },
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledJob",
        "metadata": {"name": name},
        "spec": {
            "pollingInterval": INTERVAL,
            "maxReplicaCount": 1,
            "jobTargetRef": {
                "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}
            },
            "triggers": [trigger],
        },
    }


def install_keda(plane: ControlPlane, directory: Path) -> Path:
    """Its kinds and rights; returns a kubeconfig of its own user."""
    module = subprocess.run(
        ["go", "list", "-m", "-f", "{{.Dir}}", KEDA_MODULE],
        cwd=ROOT / "dev/keda",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    plane.kubectl("apply", "--server-side", "-f", f"{module}/config/crd/bases")
    plane.kubectl("create", "namespace", KEDA_NAMESPACE)
    plane.kubectl("create", "serviceaccount", "keda-operator", "-n", KEDA_NAMESPACE)
    account = f"--serviceaccount={KEDA_NAMESPACE}:keda-operator"
    plane.kubectl("create", "clusterrolebinding", "keda", "--clusterrole=cluster-admin", account)
    return kubeconfig_of(plane, KEDA_NAMESPACE, "keda-operator", directory / "keda.kubeconfig")


def _certificates(directory: Path) -> Path:
    """What its gRPC server between operator and adapter asks for."""
    folder = directory / "certificates"
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=keda-operator", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", folder / "tls.key", "-out", folder / "tls.crt"],
        check=True,
        capture_output=True,
    )  # fmt: skip
    (folder / "ca.crt").write_bytes((folder / "tls.crt").read_bytes())
    return folder


@contextlib.asynccontextmanager
async def _keda(kubeconfig: Path, directory: Path) -> AsyncIterator[int]:
    """Its process, as long as the block lasts; the id."""
    built = await asyncio.to_thread(
        subprocess.check_output, [str(ROOT / "dev/keda/build")], text=True
    )
    certificates = await asyncio.to_thread(_certificates, directory)
    with (directory / "keda.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(Path(built.strip()) / "keda-operator"),
            f"--kubeconfig={kubeconfig}",
            f"--cert-dir={certificates}",
            "--enable-apiservice-patching=false",
            "--enable-webhook-patching=false",
            f"--metrics-bind-address=127.0.0.1:{free_port()}",
            f"--health-probe-bind-address=127.0.0.1:{free_port()}",
            f"--metrics-service-bind-address=127.0.0.1:{free_port()}",
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "POD_NAMESPACE": KEDA_NAMESPACE,
                "KEDA_CLUSTER_OBJECT_NAMESPACE": KEDA_NAMESPACE,
                "WATCH_NAMESPACE": NAMESPACE,
            },
        )
    measuring = asyncio.current_task()

    def stop_measuring(_: asyncio.Task[int]) -> None:
        if measuring is not None:
            measuring.cancel()

    ended = asyncio.create_task(process.wait())
    ended.add_done_callback(stop_measuring)
    try:
        yield process.pid
    except asyncio.CancelledError:
        if process.returncode is None:
            raise
        raise RuntimeError((directory / "keda.log").read_text()[-2000:]) from None
    finally:
        ended.remove_done_callback(stop_measuring)
        ended.cancel()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def keda(plane: ControlPlane, size: int, directory: Path, say: Say) -> Figures:
    """Measure it on a control plane without resources."""
    plane.kubectl("create", "namespace", NAMESPACE)
    kubeconfig = await asyncio.to_thread(install_keda, plane, directory)

    async def create(made: Fleet, number: int) -> None:
        await made.api.create(SCALED_JOBS, scaled_job(number, made.prometheus.url))

    say(f"KEDA: {size} ScaledJobs are created")
    async with fleet(plane, size, INTERVAL, create) as made:
        began = time.monotonic()
        async with _keda(kubeconfig, directory) as pid:
            subject = Subject(
                KEDA_USER,
                pid,
                SCALED_JOBS,
                lambda job: str(job["metadata"]["labels"].get("scaledjob.keda.sh/name")),
            )
            return await _measured(made, subject, began, lambda text: say(f"KEDA: {text}"))


# --- this operator ----------------------------------------------------------------------


async def ours(plane: ControlPlane, kubeconfig: Path, size: int, say: Say) -> tuple[Figures, float]:
    """Measure it on a control plane without resources: models in service, nobody's status yet.

    Also the first statuses a second that a client writes which does nothing else.
    """
    plane.kubectl("create", "namespace", NAMESPACE)

    async def create(made: Fleet, number: int) -> None:
        await create_champion(made, number)
        await made.api.create(path("modelmaintenances", NAMESPACE), body_of(number, INTERVAL))

    say(f"ours: {size} ModelMaintenances are created")
    async with fleet(plane, size, INTERVAL, create) as made:
        began = time.monotonic()
        servers = {"default": made.prometheus.url}
        async with operator(kubeconfig, NAMESPACE, servers, wait=False) as process:
            subject = Subject(
                USER,
                process.pid,
                path("modelmaintenances", NAMESPACE),
                lambda job: str(job["metadata"]["ownerReferences"][0]["name"]),
            )
            found = await _measured(made, subject, began, lambda text: say(f"ours: {text}"))
        raw = await _raw_status_writes(made)
        say(f"a client that does nothing else writes {raw:.0f} of these statuses a second")
        return found, raw


async def _raw_status_writes(made: Fleet) -> float:
    where = path("modelmaintenances", NAMESPACE)
    bodies = (await made.api.get(where, limit="5000"))["items"]

    async def one(body: dict[str, Any]) -> None:
        conditions = [
            {**row, "message": f"{row['message']} Told again."}
            for row in body["status"]["conditions"]
        ]
        status = {**body["status"], "conditions": conditions}
        name = body["metadata"]["name"]
        await made.api.put(f"{where}/{name}/status", {**body, "status": status})

    began = time.perf_counter()
    await few_at_once(RAW_CLIENTS, one, bodies)
    return len(bodies) / (time.perf_counter() - began)


# --- both -------------------------------------------------------------------------------


async def _measured(made: Fleet, subject: Subject, began: float, say: Say) -> Figures:
    await until(
        lambda: _all_ready(made.api, subject, made.size), READY_SECONDS, "all are Ready", every=1.0
    )
    ready = time.monotonic() - began
    say(f"all Ready after {ready:.1f} s; nothing happens for {IDLE_SECONDS:.0f} s")
    await asyncio.sleep(4 * INTERVAL)
    questions, cpu = await asked(made.prometheus), cpu_seconds(subject.pid)
    start = datetime.now(UTC)
    await asyncio.sleep(IDLE_SECONDS)
    questions, cpu = await asked(made.prometheus) - questions, cpu_seconds(subject.pid) - cpu
    own = await _own(made.plane, subject, start)
    rss, minutes = resident_mib(subject.pid), IDLE_SECONDS / 60
    chance = random.Random(0)  # noqa: S311 - moments, not secrets
    breaches = [
        await _breach(made, subject, name_of(number * 11), chance) for number in range(BREACHES)
    ]
    say(f"breach to Job: {', '.join(f'{each:.1f}' for each in breaches)} s")
    return Figures(
        ready,
        rss,
        cpu / IDLE_SECONDS,
        questions / minutes,
        len(writes(own)) / minutes,
        tuple(breaches),
    )


async def _own(plane: ControlPlane, subject: Subject, start: datetime) -> list[Request]:
    requests = await asyncio.to_thread(requests_of, plane)
    own = [each for each in requests if each.user == subject.user]
    return during(own, start, datetime.now(UTC))


async def _all_ready(api: Api, subject: Subject, size: int) -> bool:
    items = (await api.get(subject.plural, limit="5000"))["items"]
    ready = [
        body
        for body in items
        for row in (body.get("status") or {}).get("conditions", ())
        if (row["type"], row["status"]) == ("Ready", "True")
    ]
    return len(ready) == size


async def _breach(made: Fleet, subject: Subject, name: str, chance: random.Random) -> float:
    """Seconds from the moment at which the series falls."""
    await asyncio.sleep(chance.uniform(0, INTERVAL))
    fell = datetime.now(UTC)
    made.fall([name])

    async def there() -> bool:
        jobs = (await made.api.get(path("jobs", NAMESPACE)))["items"]
        return any(subject.of_job(job) == name for job in jobs)

    await until(there, BREACH_SECONDS, f"{name} has a Job", every=0.2)
    own = await _own(made.plane, subject, fell)
    job = next(each for each in own if (each.verb, each.kind) == ("create", "jobs"))
    return (job.answered - fell).total_seconds()


async def run(size: int, say: Say) -> dict[str, Any]:
    """Both, each on a control plane of its own; figures by name."""
    found: dict[str, Any] = {"models": size, "interval_seconds": INTERVAL}
    with tempfile.TemporaryDirectory(prefix="model-maintenance-keda-") as name:
        directory = Path(name)
        with own_control_plane() as plane:
            found |= figures_of("keda", await keda(plane, size, directory, say))
        with own_control_plane() as plane:
            kubeconfig = await asyncio.to_thread(install, plane, directory)
            figures, raw = await ours(plane, kubeconfig, size, say)
            found |= figures_of("ours", figures)
            found["raw_status_writes_per_second"] = round(raw, 1)
    return found


def figures_of(name: str, found: Figures) -> dict[str, Any]:
    """What goes on record."""
    rounded: dict[str, Any] = {
        key: round(value, 3) for key, value in asdict(found).items() if isinstance(value, float)
    }
    breaches: Sequence[float] = sorted(found.breach_seconds)
    rounded["breach_seconds"] = {
        "value": round(breaches[len(breaches) // 2], 2),
        "min": round(breaches[0], 2),
        "max": round(breaches[-1], 2),
        "n": len(breaches),
    }
    return {name: rounded}
