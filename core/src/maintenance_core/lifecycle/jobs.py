"""A step of a run as a Job manifest and as the request inside it. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from maintenance_contract import (
    ChampionRef,
    DataRef,
    ModelRef,
    Operation,
    Recipes,
    ResourceRef,
    Snapshot,
    StorageUri,
    TrainingRequest,
)
from maintenance_contract.exits import FAIL_THE_JOB, TIMEOUT_VARIABLE
from maintenance_contract.kinds import (
    REPEATED_AFTER_DRIFT,
    ROLES,
    TIME,
    replay_percent_of,
    train_batch_of,
)
from maintenance_contract.paths import (
    CLAIMS_ROOT,
    DECISION_FILE,
    REQUEST_DIRECTORY,
    REQUEST_FILE,
    SECRETS_ROOT,
    version_directory,
)
from maintenance_core.allowed import NOTHING_MORE, Allowed
from maintenance_core.model import (
    PLAIN,
    Action,
    JobView,
    Pod,
    Policy,
    Run,
    Spec,
    Step,
    TrainingPlan,
)
from maintenance_core.names import (
    ANNOTATION_DECISION,
    ANNOTATION_DIGEST,
    ANNOTATION_REQUEST,
    ANNOTATION_RESOURCE,
    CONTAINER,
    GROUP,
    KIND,
    LABEL_MANAGED_BY,
    LABEL_RUN,
    LABEL_STEP,
    LABEL_UID,
    MANAGER,
    VERSION,
)
from maintenance_core.status import timestamp

USER: Final = 65532
GRACE_SECONDS: Final = 60
SECRET_MODE: Final = 0o440
"""The file mode of mounted Secrets: the trainer's group (fsGroup) reads them."""
SCRATCH: Final = "32Gi"
"""Room for what is fetched and written: data, base model and two versions."""
KEEP_SECONDS: Final = 24 * 3600
"""How long an ended Job stays for a person to look at; status and store have its report."""
REPORT_TIMEOUT: Final = timedelta(minutes=30)
REPORT_RESOURCES: Final[Mapping[str, Any]] = {
    "requests": {"cpu": "50m", "memory": "64Mi"},
    "limits": {"memory": "512Mi"},
}

HALF: Final = 50
_OPERATIONS: Final = {
    Step.DIAGNOSE: Operation.DIAGNOSE,
    Step.TRAIN: Operation.TRAIN,
    Step.REPORT: Operation.REPORT,
}
_NUMBER = re.compile(r"-(\d+)-(?:diagnose|train|report)")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which resource a Job is for."""

    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class TrainerImage:
    """The image of every Job, from the operator's configuration.

    ``allowed``: what resources may choose of its pods beyond what everybody may. ``scratch``: how
    much a pod may write into its /tmp, where its resources do not say (``ephemeral-storage``).
    """

    image: str
    pull_policy: str = "IfNotPresent"
    allowed: Allowed = NOTHING_MORE
    scratch: str = SCRATCH


def job_name(identity: Identity, number: int, step: Step) -> str:
    """The same step of the same run always has the same name; at most 63 characters."""
    stem = identity.name[:40].replace(".", "-").rstrip("-")
    return f"{stem}-{identity.uid[:6]}-{number}-{step.value.lower()}"


def run_number(job: JobView) -> int:
    """The run a Job belongs to, 0 where its name is not one of ours."""
    match = _NUMBER.search(job.name)
    return int(match[1]) if match else 0


def request(
    identity: Identity, run: Run, spec: Spec, step: Step, plan: TrainingPlan = PLAIN
) -> TrainingRequest:
    """What a step's Job is asked to do. The same run gives the same request, digest and all.

    A Report asks for the stored report of ``run.subject``.
    """
    training = step is Step.TRAIN
    replayed = spec.training.replay_percent
    recipes = Recipes(
        replay_percent_of(spec.task) if replayed is None else replayed,
        dict(spec.training.fine_tune_arguments),
        dict(spec.training.retrain_arguments),
        _new_data_percent(spec, run, plan) if training else 0,
    )
    return TrainingRequest(
        operation=_OPERATIONS[step],
        resource=ResourceRef(identity.namespace, identity.name, identity.uid),
        run=run.number,
        model=ModelRef(
            spec.task,
            str(spec.base_model or ""),
            str(spec.storage),
            revision=spec.revision,
            base_model_secret=spec.access.base_model,
            storage_secret=spec.access.storage,
            **_initial_model(spec, run),
        ),
        data=DataRef(
            str(spec.original),
            str(spec.updates),
            spec.columns,
            spec.holdout,
            original_secret=spec.access.original,
            updates_secret=spec.access.updates,
            sampling=spec.sampling,
            since=_since(spec, run),
            windows=spec.windows,
        ),
        recipes=recipes.in_half_batches(train_batch_of(spec.task)) if run.half_batches else recipes,
        champion=run.champion,
        action=run.action.training if training and run.action else None,
        snapshot=Snapshot(run.snapshot_run or run.number, run.data_digest) if training else None,
        exclude_contradicted=training and plan.exclude_contradicted,
        subject=_OPERATIONS[run.subject] if step is Step.REPORT and run.subject else None,
        max_rows=spec.diagnosis.max_rows,
        race=training and plan.race,
        old_at_new_mix=training and plan.old_at_new_mix,
        metric=spec.gate.metric,
    )


def _since(spec: Spec, run: Run) -> str:
    """Since when dated rows show the drop; rows from before it do not.

    Where rows are dated because they follow one another, all that new files bring is new.
    """
    onset = run.breach.onset if run.breach is not None else None
    dated = TIME in ROLES[spec.task] and spec.columns.time
    return timestamp(onset) if onset is not None and dated else ""


def _initial_model(spec: Spec, run: Run) -> dict[str, str]:
    """The initial model, requested only while no version is in service."""
    if spec.initial_model is None or run.champion is not None:
        return {}
    return {
        "initial_model": str(spec.initial_model),
        "initial_revision": spec.initial_revision,
        "initial_model_secret": spec.access.initial_model,
    }


def is_light(run: Run) -> bool:
    """Whether the step's Job asks for what a diagnosis may use: nothing is trained in it."""
    return run.step is Step.DIAGNOSE or run.action is Action.IMPORT


def _new_data_percent(spec: Spec, run: Run, plan: TrainingPlan) -> int:
    """As the spec says; else half of a retrain under Evidence, the plain merge under Workflow.

    Merged plainly, few new rows are outvoted by many old ones (benchmarks/README.md, replay); where
    rows overlap, and of trees, that only matters if these are wrong by now. It is left out where it
    means nothing: a fine-tune, a first version.
    """
    if not (plan.race or run.action is Action.RETRAIN):
        return 0
    if spec.training.new_data_percent is not None:
        return spec.training.new_data_percent
    if spec.task in REPEATED_AFTER_DRIFT and not plan.exclude_contradicted:
        return 0
    return HALF if spec.policy is Policy.EVIDENCE and run.champion is not None else 0


def champion_uri(spec: Spec, champion: ChampionRef) -> str:
    """Where a version lies, as servers are told."""
    return str(spec.storage.join(version_directory(champion.version)))


def manifest(
    identity: Identity,
    run: Run,
    spec: Spec,
    asked: TrainingRequest,
    trainer: TrainerImage,
    *,
    decision: str = "",
) -> dict[str, Any]:
    """The Job: one create, immutable, with everything inside.

    ``decision`` is the record to be kept with the run, beside the request: what is asked, and so
    its digest, does not depend on why.
    """
    told = {ANNOTATION_REQUEST: asked.to_json()}
    told |= {ANNOTATION_DECISION: decision} if decision else {}
    labels = {
        LABEL_MANAGED_BY: MANAGER,
        LABEL_UID: identity.uid,
        LABEL_RUN: str(run.number),
        LABEL_STEP: run.step.value.lower(),
    }
    retries = spec.training.retries if run.step is Step.TRAIN and not is_light(run) else 1
    # Of a pod and of all its tries. Both count what the operator does not: a pod's time begins
    # before its image is pulled. They bound what a GPU costs while the operator is away.
    waiting = int(spec.training.pending_timeout.total_seconds()) + GRACE_SECONDS
    seconds = waiting + int(work_time(run, spec).total_seconds())
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(identity, run.number, run.step),
            "namespace": identity.namespace,
            "labels": labels,
            "annotations": {ANNOTATION_RESOURCE: identity.name, ANNOTATION_DIGEST: asked.digest},
            "ownerReferences": [
                {
                    "apiVersion": f"{GROUP}/{VERSION}",
                    "kind": KIND,
                    "name": identity.name,
                    "uid": identity.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            "backoffLimit": retries,
            "activeDeadlineSeconds": seconds * (retries + 1),
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    # First: a pod that is evicted may be killed with any exit code.
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "containerName": CONTAINER,
                            "operator": "In",
                            "values": list(FAIL_THE_JOB),
                        },
                    },
                ]
            },
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": told,
                },
                "spec": _pod(run, spec, trainer, seconds, decided=bool(decision)),
            },
        },
    }


def work_time(run: Run, spec: Spec) -> timedelta:
    """How long the trainer of the step may work, from the start of its container."""
    if run.step is Step.REPORT:
        return REPORT_TIMEOUT
    return spec.diagnosis.timeout if is_light(run) else spec.training.timeout


def _chosen(chosen: Pod) -> dict[str, Any]:
    """What ``spec.training.pod`` adds to each pod; absent where nothing is chosen."""
    parts = {
        "nodeSelector": dict(chosen.node_selector),
        "tolerations": [dict(toleration) for toleration in chosen.tolerations],
        "priorityClassName": chosen.priority_class_name,
        "serviceAccountName": chosen.service_account_name,
        "imagePullSecrets": [dict(secret) for secret in chosen.image_pull_secrets],
    }
    return {name: part for name, part in parts.items() if part}


def _annotation(annotation: str, file: str) -> dict[str, Any]:
    """A downward API file that holds one of the pod's annotations."""
    return {"path": file, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}


def _pod(
    run: Run, spec: Spec, trainer: TrainerImage, seconds: int, *, decided: bool
) -> dict[str, Any]:
    return {
        **_chosen(spec.training.pod),
        "restartPolicy": "Never",
        "activeDeadlineSeconds": seconds,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(run, spec, trainer)],
        "volumes": _volumes(run, spec, trainer, decided=decided),
    }


def _container(run: Run, spec: Spec, trainer: TrainerImage) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": trainer.image,
        "imagePullPolicy": trainer.pull_policy,
        "args": [run.step.value.lower(), "--request", f"{REQUEST_DIRECTORY}/{REQUEST_FILE}"],
        "env": _environment(run, spec, trainer),
        "resources": _resources(run, spec),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "terminationMessagePolicy": "File",
        "volumeMounts": _mounts(run, spec),
    }


def _mounts(run: Run, spec: Spec) -> list[dict[str, Any]]:
    return [
        {"name": "request", "mountPath": REQUEST_DIRECTORY, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - an emptyDir of the pod
        *(
            {
                "name": f"claim-{index}",
                "mountPath": f"{CLAIMS_ROOT}/{claim}",
                "readOnly": read_only,
            }
            for index, (claim, read_only) in enumerate(_claims(run, spec).items())
        ),
        *(
            {"name": f"secret-{index}", "mountPath": f"{SECRETS_ROOT}/{secret}", "readOnly": True}
            for index, secret in enumerate(_secrets(run, spec))
        ),
    ]


def _volumes(run: Run, spec: Spec, trainer: TrainerImage, *, decided: bool) -> list[dict[str, Any]]:
    request = _annotation(ANNOTATION_REQUEST, REQUEST_FILE)
    decision = [_annotation(ANNOTATION_DECISION, DECISION_FILE)] if decided else []
    return [
        {"name": "request", "downwardAPI": {"items": [request, *decision]}},
        {"name": "tmp", "emptyDir": {"sizeLimit": _scratch(run, spec, trainer)}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        *(
            {"name": f"claim-{index}", "persistentVolumeClaim": {"claimName": claim}}
            for index, claim in enumerate(_claims(run, spec))
        ),
        *(
            {
                "name": f"secret-{index}",
                "secret": {"secretName": secret, "defaultMode": SECRET_MODE},
            }
            for index, secret in enumerate(_secrets(run, spec))
        ),
    ]


def _models(run: Run, spec: Spec) -> list[StorageUri]:
    """Models that the step may read beside the store's."""
    initial = spec.initial_model
    wanted = run.champion is None
    places = (spec.base_model, initial if wanted else None)
    return [place for place in places if place is not None]


def _claims(run: Run, spec: Spec) -> dict[str, bool]:
    """Claims to mount, and whether read-only: all are, but the one that holds the store."""
    places = [spec.storage]
    if run.step is not Step.REPORT:
        places += [*_models(run, spec), spec.original, spec.updates]
    kept = spec.storage.claim if spec.storage.scheme == "pvc" else None
    return {place.claim: place.claim != kept for place in places if place.scheme == "pvc"}


def _secrets(run: Run, spec: Spec) -> list[str]:
    """Secrets to mount, each once. The kubelet reads them; the operator never does."""
    access = spec.access
    names = [access.storage]
    if run.step is not Step.REPORT:
        names += [access.base_model, access.original, access.updates]
        names += [access.initial_model] if run.champion is None else []
    return list(dict.fromkeys(name for name in names if name))


def _environment(run: Run, spec: Spec, trainer: TrainerImage) -> list[dict[str, str]]:
    """Literal values alone: Kubernetes replaces ``$(NAME)``, and takes ``$$`` for a plain ``$``."""
    environment = {
        "HOME": "/tmp",  # noqa: S108 - an emptyDir of the pod
        "MAINTENANCE_TRAINER_IMAGE": trainer.image,
        TIMEOUT_VARIABLE: str(int(work_time(run, spec).total_seconds())),
    }
    if any(place.scheme == "hf" for place in _models(run, spec)):
        # The image asks no hub; only a model from one lifts that.
        environment["HF_HUB_OFFLINE"] = "0"
    chosen = {variable["name"]: variable["value"] for variable in spec.training.pod.env}
    return [
        {"name": name, "value": value.replace("$", "$$")}
        for name, value in (chosen | environment).items()
    ]


def _scratch(run: Run, spec: Spec, trainer: TrainerImage) -> str:
    """The size limit of /tmp: what the step's resources request, or else the default."""
    limits = _resources(run, spec).get("limits") or {}
    return str(limits.get("ephemeral-storage", trainer.scratch))


def _resources(run: Run, spec: Spec) -> dict[str, Any]:
    if run.step is Step.REPORT:
        return dict(REPORT_RESOURCES)
    return dict(spec.diagnosis.resources if is_light(run) else spec.training.resources)
