"""What a resource may choose of its pods: who may create resources need not be who may create pods.

An allow-list. The environment decides which code a process runs and whom it gives its credentials
to, so only variables are on it that can do neither. What goes beyond is allowed by the operator's
configuration (``trainer.allow``), which belongs to the platform team. A Secret is never named by
the environment: which Secrets a pod has is said by the places of the spec (``secretRef``).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from maintenance_core.errors import SpecError
from maintenance_core.model import Pod

ENVIRONMENT: Final = frozenset(
    # Proxies
    {f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "NO", "ALL")}
    | {f"{kind}_proxy" for kind in ("http", "https", "no", "all")}
    # Places
    | {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "HF_ENDPOINT"}
    | {f"HF_HUB_{name}" for name in ("DOWNLOAD_TIMEOUT", "ETAG_TIMEOUT", "DISABLE_XET")}
    | {"HF_XET_HIGH_PERFORMANCE"}
    # Threads and memory
    | {f"OMP_{name}" for name in ("NUM_THREADS", "PROC_BIND", "PLACES", "SCHEDULE", "DYNAMIC")}
    | {f"OMP_{name}" for name in ("WAIT_POLICY", "THREAD_LIMIT", "STACKSIZE")}
    | {f"{name}_NUM_THREADS" for name in ("MKL", "OPENBLAS", "NUMEXPR", "RAYON")}
    | {"NUMEXPR_MAX_THREADS", "MKL_DYNAMIC", "KMP_AFFINITY", "KMP_BLOCKTIME", "MALLOC_ARENA_MAX"}
    | {"TOKENIZERS_PARALLELISM", "TRANSFORMERS_VERBOSITY"}
    # GPUs
    | {"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING"}
    | {"CUDA_DEVICE_MAX_CONNECTIONS", "CUBLAS_WORKSPACE_CONFIG", "NVIDIA_TF32_OVERRIDE"}
    | {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_NO_CUDA_MEMORY_CACHING"}
    | {"TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TORCH_NCCL_ASYNC_ERROR_HANDLING"}
    | {"TORCH_NCCL_BLOCKING_WAIT", "TORCH_NCCL_ENABLE_MONITORING"}
    | {f"NCCL_{name}" for name in ("DEBUG", "DEBUG_SUBSYS", "SOCKET_IFNAME", "SOCKET_FAMILY")}
    | {
        f"NCCL_{name}"
        for name in ("IB_DISABLE", "IB_HCA", "IB_TIMEOUT", "P2P_DISABLE", "P2P_LEVEL")
    }
    | {f"NCCL_{name}" for name in ("SHM_DISABLE", "ALGO", "PROTO", "BUFFSIZE", "NTHREADS")}
    | {f"NCCL_{name}" for name in ("MIN_NCHANNELS", "MAX_NCHANNELS", "CUMEM_ENABLE")}
    | {"GLOO_SOCKET_IFNAME"}
    # Time and language
    | {"TZ", "LANG", "LC_ALL"}
)
"""Names that everybody may set. No file, no library and no credential is named by any of them."""

OURS: Final = re.compile(r"(HOME|PATH|USER)$|PYTHON|LD_|KUBEFLOW_|MM_|MAINTENANCE_")
"""Of the trainer: nobody may set these."""
OURS_IN_WORDS: Final = "HOME, PATH, USER, PYTHON*, LD_*, KUBEFLOW_*, MM_* and MAINTENANCE_*"

_REPLACED: Final = "$("
_OF_KUBERNETES: Final = re.compile(r"node(-role)?(\.[a-z]+)*\.kubernetes\.io/|CriticalAddonsOnly$")
"""The last is how managed clusters, k3s and RKE2 keep nodes for the cluster's own pods."""
_SOON_AGAIN: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_FIELD: Final = "spec.training.pod"
_ASK: Final = "the platform team may allow it in the operator's configuration"


@dataclass(frozen=True, slots=True)
class Allowed:
    """``trainer.allow`` of the operator's configuration: names, ``*`` in them for anything.

    A service account is ``<namespace>/<name>``, or ``<name>`` in every namespace. Tolerations go by
    the taint's key; ``*`` alone also allows one that has no key.
    """

    env: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    priority_classes: tuple[str, ...] = ()
    tolerations: tuple[str, ...] = ()


NOTHING_MORE: Final = Allowed()
EVERYTHING: Final = Allowed(("*",), ("*",), ("*",), ("*",))
"""What no configuration allows is refused all the same."""


def admit(pod: Pod, namespace: str, allowed: Allowed) -> None:
    """Refuse what a resource of this namespace may not choose.

    Raises:
        SpecError: the first of it, naming the field, what may be written, and who may allow it.
    """
    for field, problem in _refused(pod, namespace, allowed):
        raise SpecError(f"{_FIELD}.{field}", problem)


def _refused(pod: Pod, namespace: str, allowed: Allowed) -> Iterator[tuple[str, str]]:
    for index, variable in enumerate(pod.env):
        yield from _variable(variable, f"env[{index}]", allowed)
    for index, toleration in enumerate(pod.tolerations):
        key = str(toleration.get("key") or "")
        if not _tolerable(key, toleration, allowed):
            problem = (
                f"{key or 'a toleration of every taint'} is for the cluster's own pods: write the "
                f"key of your nodes' taint, like nvidia.com/gpu; {_ASK} (trainer.allow.tolerations)"
            )
            yield f"tolerations[{index}].key", problem
    name = pod.priority_class_name
    if name.startswith("system-") and not _fits(name, allowed.priority_classes):
        problem = (
            f"{name} is for the cluster's own pods: write a PriorityClass of yours, or none; "
            f"{_ASK} (trainer.allow.priorityClasses)"
        )
        yield "priorityClassName", problem
    account = pod.service_account_name
    names = (account, f"{namespace}/{account}")
    if account in {"", "default"} or any(_fits(each, allowed.service_accounts) for each in names):
        return
    problem = (
        f"trainings may not run as {account}: leave it out for the account default; "
        f"{_ASK} (trainer.allow.serviceAccounts, like {namespace}/{account})"
    )
    yield "serviceAccountName", problem


def _variable(
    variable: Mapping[str, Any], field: str, allowed: Allowed
) -> Iterator[tuple[str, str]]:
    name = variable["name"]
    if OURS.match(name):
        yield f"{field}.name", f"{name} is the trainer's own: names {OURS_IN_WORDS} are refused"
    elif name not in ENVIRONMENT and not _fits(name, allowed.env):
        problem = (
            f"{name} is not allowed: remove it. Allowed are proxies (HTTPS_PROXY, NO_PROXY, ...), "
            "AWS_REGION, AWS_ENDPOINT_URL, HF_ENDPOINT, TZ and what tunes threads, torch and NCCL "
            f"(docs/install.md has the list); {_ASK} (trainer.allow.env)"
        )
        yield f"{field}.name", problem
    if "valueFrom" in variable:
        problem = "write the value itself. Secrets are for places: name them in their secretRef"
        yield f"{field}.valueFrom", problem
    if _REPLACED in variable.get("value", ""):
        yield f"{field}.value", "nothing is replaced in it: write the value itself, without $(...)"


def _tolerable(key: str, toleration: Mapping[str, Any], allowed: Allowed) -> bool:
    if not key:
        return "*" in allowed.tolerations
    if _fits(key, allowed.tolerations) or _OF_KUBERNETES.match(key) is None:
        return True
    # Every pod tolerates these for five minutes; another time is the user's matter.
    return key in _SOON_AGAIN and "tolerationSeconds" in toleration


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
