"""A model's file that comes from elsewhere, looked at in a process of its own.

XGBoost's parser is not made for hostile files: one whose trees point nowhere ends the process. So
another process loads it first, says what it is, and its trees are walked before any row goes down
one.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SECONDS: Final = 120.0
MEMORY: Final = 8 * 2**30
"""Bytes that the process may ask for, beside twenty times the file."""
_TOLD: Final = "facts: "


class UnsafeModelError(ValueError):
    """A file that is no model, or none that rows can be given to; says why."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a model's file says.

    ``types`` and ``names`` of the features are empty where it tells none; ``classes`` is 0 where
    there is one margin.
    """

    objective: str
    features: int
    classes: int
    types: tuple[str, ...]
    names: tuple[str, ...]


def inspect(path: Path) -> Facts:
    """Have a file loaded and its trees walked elsewhere.

    Raises:
        UnsafeModelError: it cannot be loaded, or its trees are none.
    """
    command = [sys.executable, "-c", f"from {__name__} import main; main()", str(path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(  # noqa: S603  # ourselves
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"{path.name} is not loaded within {SECONDS:.0f} s; save the model once more"
        raise UnsafeModelError(message) from None
    lines = [line for line in done.stdout.splitlines() if line.startswith(_TOLD)]
    if done.returncode or not lines:
        raise UnsafeModelError(f"{path.name} {_why(done)}; save the model once more")
    facts = json.loads(lines[-1].removeprefix(_TOLD))
    if problem := facts.pop("problem"):
        raise UnsafeModelError(f"{path.name}: {problem}")
    return Facts(**{**facts, "types": tuple(facts["types"]), "names": tuple(facts["names"])})


def main() -> None:
    """In the other process: load, walk, tell."""
    path = Path(sys.argv[1])
    most = MEMORY + 20 * path.stat().st_size
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    # It is imported if it is there, takes seconds, and is not needed to load a model.
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    import xgboost as xgb  # noqa: PLC0415  # within the limit

    try:
        booster = xgb.Booster(model_file=path)
        document = json.loads(booster.save_raw("json"))
    except (xgb.core.XGBoostError, ValueError, KeyError, MemoryError) as error:
        said = " ".join(str(error).split("\nStack trace", maxsplit=1)[0].split())[-200:]
        sys.exit(f"cannot be loaded by XGBoost ({said})")
    print(_TOLD + json.dumps(facts_of(document)))  # noqa: T201  # to whoever asked


def facts_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a model in XGBoost's JSON says of itself; ``problem`` is empty where there is none."""
    learner = document["learner"]
    parameters = learner["learner_model_param"]
    facts: dict[str, Any] = {
        "objective": str(learner["objective"]["name"]),
        "features": int(parameters["num_feature"]),
        "classes": int(parameters["num_class"]),
        "types": list(map(str, learner.get("feature_types", []))),
        "names": list(map(str, learner.get("feature_names", []))),
    }
    kind = learner["gradient_booster"]["name"]
    if kind != "gbtree":
        return {**facts, "problem": f"it is a {kind}, and versions are gradient boosted trees"}
    if int(parameters.get("num_target", 1)) > 1:
        return {**facts, "problem": "it predicts several numbers at once, and one is expected"}
    model = learner["gradient_booster"]["model"]
    return {**facts, "problem": _problem(model, facts["features"], max(1, facts["classes"]))}


def _problem(model: Mapping[str, Any], features: int, classes: int) -> str:
    trees, info, ends = model["trees"], model["tree_info"], model["iteration_indptr"]
    if len(info) != len(trees) or not all(0 <= number < classes for number in info):
        return "its trees are not of the classes that it names"
    if ends != sorted(ends) or ends[:1] != [0] or ends[-1] != len(trees):
        return "its rounds do not add up to its trees"
    for number, tree in enumerate(trees):
        if not walkable(tree, features):
            return f"tree {number} has nodes that lead nowhere, or columns that are not there"
    return ""


def walkable(tree: Mapping[str, Any], features: int) -> bool:
    """Whether every way from the root ends at a leaf, and asks for columns that there are."""
    left, right, asked = tree["left_children"], tree["right_children"], tree["split_indices"]
    count = len(left)
    if not count or len(right) != count or len(asked) != count:
        return False
    if len(tree["split_conditions"]) != count or len(tree["default_left"]) != count:
        return False
    seen: set[int] = set()
    waiting: list[int] = [0]
    while waiting:
        node = waiting.pop()
        if not 0 <= node < count or node in seen:
            return False
        seen.add(node)
        below: Sequence[int] = (left[node], right[node])
        if below[0] == -1 == below[1]:
            continue
        if not 0 <= asked[node] < features:
            return False
        waiting += below
    return True


def _why(done: "subprocess.CompletedProcess[str]") -> str:
    if done.returncode < 0:
        return f"ends the process that loads it (signal {-done.returncode}), as torn files do"
    said = done.stderr.strip().splitlines()
    return said[-1][:300] if said else "is no model of XGBoost"
