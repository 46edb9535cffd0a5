"""The whole node: what pods can do on it, and that nothing of it stays behind."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from cluster.command import Cluster
from cluster.traces import processes, traces
from support.pace import timeout_flag

IMAGE = "localhost/mm-cluster/podtool:dev"

# Every pod that ends by itself, with what it must have printed.
WORK = """
apiVersion: batch/v1
kind: Job
metadata: {{name: on-gpu}}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: main
        image: "{image}"
        args: [print, trained]
        resources: {{limits: {{nvidia.com/gpu: 1}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: on-two-gpus}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - {{name: main, image: "{image}", resources: {{limits: {{nvidia.com/gpu: 2}}}}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{accessModes: [ReadWriteMany], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: view}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: ServiceAccount, name: default, namespace: default}}]
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
"""

POD = """
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  restartPolicy: Never
  securityContext: {{runAsNonRoot: true, runAsUser: 1000}}
  containers:
  - name: main
    image: "{image}"
    args: {arguments}
    volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, {volume}}}]
"""

CLAIM = "persistentVolumeClaim: {claimName: data}"
PODS = {
    "writer": (["write", "/data/file", "shared by two pods"], CLAIM),
    "reader": (["await", "/data/file"], CLAIM),
    "names": (["resolve", "web.default.svc.cluster.local"], "emptyDir: {}"),
    "no-names": (["resolve", "example.com"], "emptyDir: {}"),
    "api": (["api", "/api/v1/namespaces/default/services/web"], "emptyDir: {}"),
    "api-refuses": (["api", "/api/v1/namespaces/default/secrets"], "emptyDir: {}"),
    "outside": (["fetch", "http://198.51.100.1/"], "emptyDir: {}"),
    "web": (["serve", ":8080", "answered"], "emptyDir: {}"),
}


@pytest.fixture(scope="module")
def busy(node: Cluster) -> Cluster:
    """The node, after everything on it that ends by itself has ended."""
    manifest = WORK.format(image=IMAGE)
    for name, (arguments, volume) in PODS.items():
        manifest += POD.format(name=name, image=IMAGE, arguments=arguments, volume=volume)
    node.kubectl("apply", "--filename=-", manifest=manifest)
    node.kubectl("wait", "job/on-gpu", "--for=condition=Complete", timeout_flag(60))
    for name in sorted(PODS.keys() - {"web"}):
        node.kubectl(
            "wait",
            f"pod/{name}",
            "--for=jsonpath={.status.containerStatuses[0].state.terminated}",
            timeout_flag(60),
        )
    node.kubectl("wait", "pod/web", "--for=condition=Ready", timeout_flag(60))
    return node


def ended_well(node: Cluster, pod: str) -> bool:
    return bool(node.get("pod", pod)["status"]["phase"] == "Succeeded")


def test_the_node_has_the_whole_machine_and_one_gpu(node: Cluster) -> None:
    [only] = node.get("nodes")["items"]
    assert only["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.36.")
    assert int(only["status"]["allocatable"]["cpu"]) == os.cpu_count()
    assert only["status"]["allocatable"]["nvidia.com/gpu"] == "1"


def test_up_again_changes_nothing(node: Cluster) -> None:
    components = node.components
    assert "already up" in node.up()
    assert node.components == components
    other_flags = node.mm_cluster("up", "--gpus=2")
    assert other_flags.returncode == 1
    assert 'run "mm-cluster down' in other_flags.stderr


def test_a_job_that_asks_for_a_gpu_runs_and_one_that_asks_for_too_many_waits(
    busy: Cluster,
) -> None:
    assert busy.kubectl("logs", "job/on-gpu") == "trained\n"
    [waiting] = busy.get("pods", "--selector=job-name=on-two-gpus")["items"]
    assert waiting["status"]["phase"] == "Pending"
    assert "Insufficient nvidia.com/gpu" in waiting["status"]["conditions"][0]["message"]


def test_two_pods_share_a_claim_as_another_user_than_root(busy: Cluster) -> None:
    assert ended_well(busy, "writer")
    assert busy.kubectl("logs", "reader") == "shared by two pods\n"


def test_names_of_services_resolve_and_others_do_not_exist(busy: Cluster) -> None:
    service = busy.get("service", "web")["spec"]["clusterIP"]
    assert busy.kubectl("logs", "names") == f"{service}\n"
    assert "no such host" in busy.kubectl("logs", "no-names")


def test_a_pod_reaches_the_api_with_the_rights_of_its_service_account(busy: Cluster) -> None:
    assert json.loads(busy.kubectl("logs", "api"))["kind"] == "Service"
    assert not ended_well(busy, "api-refuses")
    assert "403 Forbidden" in busy.kubectl("logs", "api-refuses")


def test_no_packet_of_a_pod_leaves_the_machine(busy: Cluster) -> None:
    assert not ended_well(busy, "outside")
    assert "connection refused" in busy.kubectl("logs", "outside")


def test_the_machine_reaches_pods_services_and_into_pods(busy: Cluster) -> None:
    pod = busy.get("pod", "web")["status"]["podIP"]
    service = busy.get("service", "web")["spec"]["clusterIP"]
    for address in (f"http://{pod}:8080/", f"http://{service}/"):
        with urllib.request.urlopen(address, timeout=10) as response:  # noqa: S310
            assert response.read() == b"answered\n"
    assert busy.kubectl("exec", "web", "--", "/podtool", "print", "inside") == "inside\n"


def test_a_port_of_a_pod_is_forwarded(busy: Cluster) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        str(busy.programs / "kubectl"),
        "port-forward",
        "pod/web",
        f"{port}:8080",
        f"--kubeconfig={busy.directory}/kubeconfig",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout
            assert "Forwarding from" in forward.stdout.readline()
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
                assert response.read() == b"answered\n"
        finally:
            forward.terminate()


def test_helm_reads_the_cluster(busy: Cluster) -> None:
    helm = str(busy.programs / "helm")
    version = subprocess.run(
        [helm, "version", "--short"], capture_output=True, text=True, check=True
    )
    assert re.match(r"v4\.\d+\.\d+", version.stdout)
    listed = subprocess.run(
        [helm, "list", f"--kubeconfig={busy.directory}/kubeconfig", "--output=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout.strip() == "[]"


def test_a_volume_goes_with_its_claim(busy: Cluster) -> None:
    [volume] = busy.get("persistentvolumes")["items"]
    folder = Path(volume["spec"]["hostPath"]["path"])
    assert (folder / "file").read_text(encoding="utf-8") == "shared by two pods"
    busy.kubectl(
        "delete", "pod/writer", "pod/reader", "persistentvolumeclaim/data", timeout_flag(30)
    )
    busy.kubectl(
        "wait", f"persistentvolume/{volume['metadata']['name']}", "--for=delete", timeout_flag(60)
    )
    assert not folder.exists()


def test_the_list_of_images_names_the_podtool(node: Cluster) -> None:
    images = node.mm_cluster("images").stdout.splitlines()
    assert [line for line in images if re.fullmatch(rf"{IMAGE} sha256:[0-9a-f]{{64}}", line)]


def kill(cluster: Cluster, *, pods: bool) -> None:
    """Kill the components and the shims, and the pods too, or leave those to run on alone."""
    for pid in processes(cluster.directory):
        mark = f"MM_CLUSTER_COMPONENT_OF={cluster.directory}".encode()
        if pods or mark in Path(f"/proc/{pid}/environ").read_bytes():
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)


def test_up_after_everything_but_the_pods_was_killed(busy: Cluster) -> None:
    kill(busy, pods=False)
    assert processes(busy.directory), "the pods should run on"
    assert "removing what an earlier cluster left" in busy.up()
    assert busy.get("pods", "--all-namespaces")["items"] == []
    busy.kubectl("run", "again", f"--image={IMAGE}", "--restart=Never", "--", "print", "works")
    busy.kubectl("wait", "pod/again", "--for=jsonpath={.status.phase}=Succeeded", timeout_flag(60))


def test_down_after_everything_was_killed_leaves_nothing(node: Cluster, before: set[str]) -> None:
    node.kubectl("run", "web", f"--image={IMAGE}", "--", "serve", ":8080", "answered")
    node.kubectl("wait", "pod/web", "--for=condition=Ready", timeout_flag(60))
    kill(node, pods=True)
    assert traces(node.directory) - before, "a killed cluster should have left traces"
    node.down()
    assert traces(node.directory) - before == set()


def test_down_of_a_running_cluster_leaves_nothing(node: Cluster, before: set[str]) -> None:
    node.up("--gpus=3")
    node.kubectl("run", "web", f"--image={IMAGE}", "--", "serve", ":8080", "answered")
    node.kubectl("wait", "pod/web", "--for=condition=Ready", timeout_flag(60))
    assert node.get("node", "mm-node")["status"]["allocatable"]["nvidia.com/gpu"] == "3"
    node.down()
    assert traces(node.directory) - before == set()
    assert node.mm_cluster("status").returncode == 3
    assert [path.name for path in node.directory.iterdir() if path.name != "lock"] == ["logs"]
