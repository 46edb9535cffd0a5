"""What a resource may choose of its pods, and who may allow more."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from maintenance_core.allowed import (
    ENVIRONMENT,
    EVERYTHING,
    NOTHING_MORE,
    Allowed,
    admit,
)
from maintenance_core.errors import SpecError
from maintenance_core.model import Pod


def env(name: str, value: str = "x", **more: Any) -> Pod:
    return Pod(env=({"name": name, "value": value, **more},))


def tolerating(**toleration: Any) -> Pod:
    return Pod(tolerations=(toleration,))


ORDINARY = Pod(
    node_selector={"gpu": "a100"},
    tolerations=(
        {"key": "nvidia.com/gpu", "operator": "Exists"},
        {"key": "kubernetes.azure.com/scalesetpriority", "value": "spot"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute", "tolerationSeconds": 60},
    ),
    env=(
        {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
        {"name": "no_proxy", "value": ".svc"},
        {"name": "HF_ENDPOINT", "value": "https://hub.example"},
        {"name": "HF_HUB_DOWNLOAD_TIMEOUT", "value": "60"},
        {"name": "AWS_REGION", "value": "eu-central-1"},
        {"name": "OMP_NUM_THREADS", "value": "4"},
        {"name": "NCCL_DEBUG", "value": "INFO"},
        {"name": "PYTORCH_CUDA_ALLOC_CONF", "value": "expandable_segments:True"},
        {"name": "TZ", "value": "Europe/Berlin"},
    ),
    priority_class_name="batch-low",
    service_account_name="default",
    image_pull_secrets=({"name": "registry"},),
)


def test_what_trainings_usually_need_is_allowed_to_everybody() -> None:
    admit(ORDINARY, "finance", NOTHING_MORE)
    admit(Pod(), "finance", NOTHING_MORE)


@pytest.mark.parametrize(
    "name",
    [
        # Foreign code: a program, a library, a module, a start file, a configuration that names one
        "PATH",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "BASH_ENV",
        "ENV",
        "OPENSSL_CONF",
        "OPENSSL_MODULES",
        "OPENSSL_ENGINES",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "LOCPATH",
        "NLSPATH",
        "PERL5OPT",
        "NODE_OPTIONS",
        "OMP_TOOL_LIBRARIES",
        "NCCL_NET_PLUGIN",
        "NCCL_TUNER_PLUGIN",
        "NCCL_CONF_FILE",
        "CUDA_INJECTION64_PATH",
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD",
        "TORCH_EXTENSIONS_DIR",
        "TORCHINDUCTOR_CACHE_DIR",
        "TRITON_CACHE_DIR",
        "HF_MODULES_CACHE",
        # Whom to trust
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SSLKEYLOGFILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "AWS_CA_BUNDLE",
        "GIT_SSL_NO_VERIFY",
        # Whom to give which credentials
        "AWS_ENDPOINT_URL_STS",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN",
        "AWS_PROFILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_ACCESS_KEY_ID",
        "HF_TOKEN",
        "HF_TOKEN_PATH",
        "HF_HOME",
        "NETRC",
        "HF_DEBUG",
        # More than was asked for, another's name, another home
        "NVIDIA_VISIBLE_DEVICES",
        "NVIDIA_DRIVER_CAPABILITIES",
        "MAINTENANCE_TRAINER_IMAGE",
        "HOME",
        "USER",
        "TMPDIR",
        "KUBEFLOW_A",
        "MM_A",
        "KUBERNETES_SERVICE_HOST",
        "path",
    ],
)
def test_other_variables_are_refused_by_name(name: str) -> None:
    with pytest.raises(SpecError, match=f"{name} is (not allowed|the trainer's own)") as caught:
        admit(env(name), "finance", NOTHING_MORE)
    assert caught.value.field == "spec.training.pod.env[0].name"


@pytest.mark.parametrize(
    "pod, field, words",
    [
        (
            env("HTTPS_PROXY", "", valueFrom={"secretKeyRef": {"name": "s", "key": "k"}}),
            "env[0].valueFrom",
            "name them in their secretRef",
        ),
        (env("AWS_ENDPOINT_URL", "http://x/$(A)"), "env[0].value", "write the value itself"),
        (env("AWS_ENDPOINT_URL", "http://x/$$(A)"), "env[0].value", "write the value itself"),
        (Pod(priority_class_name="system-node-critical"), "priorityClassName", "allow.priority"),
        (Pod(service_account_name="admin"), "serviceAccountName", r"like finance/admin"),
        (tolerating(operator="Exists"), "tolerations[0].key", "of every taint"),
        (tolerating(key="", operator="Exists"), "tolerations[0].key", "of every taint"),
        (
            tolerating(key="node-role.kubernetes.io/control-plane", operator="Exists"),
            "tolerations[0].key",
            "trainer.allow.tolerations",
        ),
        (tolerating(key="node-role.kubernetes.io/master"), "tolerations[0].key", "own pods"),
        (tolerating(key="node.kubernetes.io/unschedulable"), "tolerations[0].key", "own pods"),
        (tolerating(key="node.kubernetes.io/unreachable"), "tolerations[0].key", "own pods"),
        (tolerating(key="node.cloudprovider.kubernetes.io/shutdown"), "tolerations[0].key", "own"),
        (tolerating(key="CriticalAddonsOnly", operator="Exists"), "tolerations[0].key", "own pods"),
    ],
)
def test_what_is_refused_says_what_to_write_and_who_may_allow_it(
    pod: Pod, field: str, words: str
) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        admit(pod, "finance", NOTHING_MORE)
    assert caught.value.field == f"spec.training.pod.{field}"


@pytest.mark.parametrize(
    "pod, allowed",
    [
        (env("WANDB_MODE"), Allowed(env=("WANDB_*",))),
        (env("SSL_CERT_FILE", "/etc/ssl/corp.pem"), Allowed(env=("SSL_CERT_FILE",))),
        (Pod(service_account_name="trainer"), Allowed(service_accounts=("finance/trainer",))),
        (Pod(service_account_name="trainer"), Allowed(service_accounts=("trainer",))),
        (Pod(service_account_name="trainer"), Allowed(service_accounts=("finance/*",))),
        (Pod(priority_class_name="system-x"), Allowed(priority_classes=("system-x",))),
        (tolerating(operator="Exists"), Allowed(tolerations=("*",))),
        (
            tolerating(key="node-role.kubernetes.io/infra"),
            Allowed(tolerations=("node-role.kubernetes.io/infra",)),
        ),
    ],
)
def test_the_configuration_allows_more(pod: Pod, allowed: Allowed) -> None:
    admit(pod, "finance", allowed)
    with pytest.raises(SpecError):
        admit(pod, "finance", NOTHING_MORE)


@pytest.mark.parametrize(
    "pod, allowed",
    [
        (Pod(service_account_name="trainer"), Allowed(service_accounts=("sports/trainer",))),
        (tolerating(operator="Exists"), Allowed(tolerations=("node-role.kubernetes.io/*",))),
        (env("PATH"), EVERYTHING),
        (env("LD_PRELOAD"), EVERYTHING),
        (env("MAINTENANCE_TRAINER_IMAGE"), EVERYTHING),
        (env("WANDB_API_KEY", valueFrom={}), EVERYTHING),
        (env("WANDB_MODE", "$(HOME)"), EVERYTHING),
    ],
)
def test_what_it_does_not_say_it_does_not_allow(pod: Pod, allowed: Allowed) -> None:
    with pytest.raises(SpecError):
        admit(pod, "finance", allowed)


def test_the_page_lists_the_variables() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/install.md").read_text(encoding="utf-8")
    [listed] = re.findall(r"^Variables: (.*?)\.$", page, re.DOTALL | re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", listed)) == ENVIRONMENT


def test_the_item_that_is_wrong_is_named() -> None:
    pod = replace(ORDINARY, env=(*ORDINARY.env, {"name": "A", "value": ""}))
    with pytest.raises(SpecError, match=r"env\[9\]\.name: A is not allowed"):
        admit(pod, "finance", NOTHING_MORE)
