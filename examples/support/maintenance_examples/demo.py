"""The whole loop on a real cluster: a metric falls, the operator finds out why and mends it.

Nothing is scripted but the traffic: accuracies are Prometheus's, decisions the operator's. Each act
changes the world and waits for what comes of it; what comes of it is checked against what is
expected, and the demo fails if it differs.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from maintenance_examples import telling
from maintenance_examples.cases import Act, Case, find, names
from maintenance_examples.clusters import MONITORING, Cluster, fresh_cluster
from maintenance_examples.deployment import Example, install_operator
from maintenance_examples.given import given_cluster, reached
from maintenance_examples.leaving import remove
from maintenance_examples.shell import CACHE, ROOT, Failure, Stages, run, until
from maintenance_examples.watching import Watched, is_true

STILL_SECONDS: Final = 300
"""For an act that does not get on: no Job, no pod and no answer moves."""
RECOVERY_SECONDS: Final = 60
ENOUGH_WINDOWS: Final = 3
"""So many stretches of traffic at most may pass before accuracy is back, and then so many seconds.
The server's accuracy is of a whole stretch, so that no draw of rows is lucky."""
QUIET_READINGS: Final = 6
"""More than a breach looks back on."""
TELL_EVERY: Final = 5.0


@dataclass(slots=True)
class Told:
    """What happened in an act, for the summary."""

    act: Act
    decision: dict[str, Any]
    run: dict[str, Any]
    accuracy: dict[str, float | None] = field(default_factory=dict)


class Narrator:
    """Tells what the operator sees, decides and does, while the demo waits."""

    def __init__(self, watched: Watched, stages: Stages, floor: float) -> None:
        self._watched = watched
        self._stages = stages
        self._floor = floor
        self._next = 0.0
        self.lowest: float | None = None

    def look(self) -> dict[str, Any]:
        """The status now; whatever is new in it is told."""
        status = self._watched.status()
        for kind, reason, message in self._watched.new_events():
            mark = "!" if kind == "Warning" else "-"
            self.say(f"{mark} operator, {reason}: {message}")
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + TELL_EVERY
            self.say(f"    {self._accuracy()}{self._doing(status)}")
        return status

    def say(self, text: str) -> None:
        """A line with the clock."""
        print(f"[{self._stages.clock()}] {text}", flush=True)

    def _accuracy(self) -> str:
        try:
            value, version = self._watched.accuracy(), self._watched.served_version()
        except OSError:
            return "Prometheus does not answer yet"
        if value is None or version is None:
            return "no model is served yet"
        self.lowest = value if self.lowest is None else min(value, self.lowest)
        side = "below" if value < self._floor else "above"
        return f"version {version} gets {value:.2f} right, {side} the floor of {self._floor:.2f}"

    def _doing(self, status: dict[str, Any]) -> str:
        step = (status.get("run") or {}).get("step")
        words = {"Diagnose": "a Job looks for the cause", "Train": "a Job trains",
                 "Report": "a Job reads the report again"}  # fmt: skip
        if step not in words:
            return ""
        progress = self._watched.progress()
        return f"; {words[step]}" + (f": {progress}" if progress else "")


def play(act: Act, case: Case, watched: Watched, narrator: Narrator) -> Told:
    """Change the world, wait for the operator, check what it did.

    Raises:
        Failure: something else than expected came of it.
    """
    narrator.say(act.says)
    before = {entry["number"] for entry in watched.status().get("history", [])}
    told_accuracy = {"before": watched.accuracy(2)}
    narrator.lowest = None
    if act.version > 1:
        watched.example.set_traffic(act.stretch)
    else:
        watched.example.apply("modelmaintenance.yaml")
    narrator.say(_waiting(act))

    def ended() -> dict[str, Any] | None:
        status = narrator.look()
        new = [entry for entry in status.get("history", []) if entry["number"] not in before]
        _expect_no_detour(act, status, new)
        return next((entry for entry in new if entry["outcome"] == "Promoted"), None)

    entry = until(f"{act.title}: a promoted {act.action}", ended, seconds=STILL_SECONDS,
                  progress=watched.how_far)  # fmt: skip
    decision = watched.decisions[entry["number"]]
    _expect(act, decision, entry)
    _await_recovery(act, case, watched, narrator)
    told_accuracy |= {"lowest": narrator.lowest, "after": watched.accuracy(2)}
    narrator.say(f"Version {act.version} is served and accuracy is back above its floor.")
    return Told(act, decision, entry, told_accuracy)


def _waiting(act: Act) -> str:
    if act.version == 1:
        return "kubectl apply: the resource is there; the operator does the rest."
    return (
        "Their labels arrive as an update. From here on we only watch: accuracy should fall, and "
        "stay down in 3 of 5 readings before the operator looks for the cause."
    )


def _expect_no_detour(act: Act, status: dict[str, Any], entries: list[dict[str, Any]]) -> None:
    if (status.get("decision") or {}).get("action") == "Blocked":
        raise Failure(f"{act.title}: the operator is blocked: {status['decision']['message']}")
    for entry in entries:
        if entry["outcome"] != "Promoted" or entry["action"] != act.action:
            raise Failure(f"{act.title}: {act.action} and promotion were expected, but "
                          f"{telling.run(entry)}. {entry.get('message', '')}")  # fmt: skip


def _expect(act: Act, decision: dict[str, Any], entry: dict[str, Any]) -> None:
    trigger = "Initial" if act.version == 1 else "PerformanceDrop"
    expected = {"trigger": trigger, "action": act.action}
    seen = {key: decision[key] for key in expected}
    if seen != expected or entry.get("version") != act.version:
        raise Failure(f"{act.title}: expected {expected} and version {act.version}, but "
                      f"{seen} and version {entry.get('version')} came of it")  # fmt: skip


def _await_recovery(act: Act, case: Case, watched: Watched, narrator: Narrator) -> None:
    """Until the version serves well by a whole window; on a slow machine that takes its time."""

    def answers() -> int:
        return min(watched.answers(act.version), ENOUGH_WINDOWS * case.served_rows)

    def recovered() -> bool | None:
        status = narrator.look()
        value = watched.accuracy()
        up = value is not None and value >= case.floor
        full = watched.served_version() == act.version and answers() >= case.served_rows
        return (full and up and not is_true(status, "Degraded")) or None

    until(f"{act.title}: accuracy above the floor again with version {act.version}", recovered,
          seconds=RECOVERY_SECONDS, progress=answers)  # fmt: skip


def quiet(case: Case, watched: Watched, narrator: Narrator) -> str:
    """A stretch that asks for nothing: whatever the operator does now is wrong.

    Raises:
        Failure: it decided, ran or trained something.
    """
    status, jobs = watched.status(), set(watched.jobs())
    watched.example.set_traffic(case.stretches[-1])
    narrator.say(f"{case.quiet_says} We watch for {QUIET_READINGS} readings: "
                 "nothing may be done.")  # fmt: skip
    before = watched.readings()

    def read() -> int | None:
        now = narrator.look()
        for part in ("decision", "run", "history", "champion"):
            if now.get(part) != status.get(part):
                raise Failure(f"{case.last}: nothing may be done, but the operator changed {part}: "
                              f"{now.get(part)}")  # fmt: skip
        readings = watched.readings() - before
        return readings if readings >= QUIET_READINGS else None

    readings = until(f"{case.last}: {QUIET_READINGS} readings", read, seconds=STILL_SECONDS,
                     progress=watched.readings)  # fmt: skip
    if started := set(watched.jobs()) - jobs:
        raise Failure(
            f"{case.last}: nothing may be done, but Jobs were created: {', '.join(started)}"
        )
    return f"{readings} readings, no decision, no Job, no training"


def summary(case: Case, acts: list[Told], stillness: str, stages: Stages) -> Iterator[str]:
    """What happened, from status and Prometheus; where to look; how to clean up."""
    yield "\n=== What happened (paths and scores from status, accuracies from Prometheus)"
    for told in acts:
        yield f"\n{told.act.title}"
        yield "  " + ", ".join(
            f"{name} {value:.2f}" for name, value in told.accuracy.items() if value is not None
        )
        yield from (f"  {line}" for line in telling.decision(told.decision))
        yield f"  {telling.run(told.run)}"
        yield f"    {told.run.get('message', '')}"
    yield f"\n{case.last}\n  {stillness}"
    yield "\n=== Time of each stage"
    for title, seconds in stages.seconds.items():
        yield f"  {seconds:6.0f} s  {title}"
    yield f"  {stages.total:6.0f} s  in all"


PLUGIN: Final = ROOT / "dev/bin"


def why(cluster: Cluster, name: str) -> Iterator[str]:
    """``kubectl mm why`` of the last decision as it prints it, and the same as a picture."""
    kubeconfig = f"--kubeconfig={cluster.kubeconfig}"
    command = (PLUGIN / "kubectl-mm", "why", name, "-n", name, kubeconfig)
    yield f"\n=== Why? Ask it yourself:  kubectl mm why {name} -n {name}\n"
    yield run(*command)
    picture = CACHE / "demo" / f"{name}.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    run(*command, "-o", "svg", "-f", picture)
    yield f"As a picture (kubectl mm why {name} -n {name} -o svg):  {picture}"


def look_around(cluster: Cluster, case: Case, *, given: bool) -> str:
    """How a person goes on from here."""
    name, *others, last = case.name, *case.stretches
    path = dict.fromkeys([PLUGIN, cluster.kubectl_program.parent, cluster.helm_program.parent])
    return f"""
=== Look around (the cluster stays {"as it is" if given else "up"})
  export KUBECONFIG={cluster.kubeconfig} PATH={":".join(map(str, path))}:$PATH
  kubectl get mm -A
  kubectl mm status {name} -n {name}     # where it stands, what happens next, what you must do
  kubectl mm why {name} -n {name}        # its last decision, question by question
  kubectl mm history {name} -n {name}    # runs and their scores
  kubectl -n {name} get jobs,pods,configmaps
  kubectl explain modelmaintenance.spec
  Prometheus:  kubectl -n {MONITORING} port-forward service/prometheus 9090
               then http://localhost:9090/graph?g0.expr=model_accuracy&g0.tab=0&g0.range_input=15m
  Change the world yourself ({", ".join(others)} or {last}):
  kubectl -n {name} patch configmap {name}-traffic -p '{{"data":{{"stretch":"{others[0]}"}}}}'
{_clean_up(cluster, given=given)}"""


def _clean_up(cluster: Cluster, *, given: bool) -> str:
    command = f"make demo-down KUBECONFIG={cluster.kubeconfig}" if given else "make cluster-down"
    return f"Clean up:  {command}"


def prepare(case: Case, cluster: Cluster, stages: Stages) -> Watched:
    """Data, Prometheus, operator, server and traffic; no resource yet."""
    example = Example(cluster, case.name)
    if not cluster.gpus:
        print("The node offers no nvidia.com/gpu: the training Jobs will not ask for one.")
    with (
        stages.stage(f"Data: {case.source}, into a claim"),
        tempfile.TemporaryDirectory() as folder,
    ):
        print(case.fill(Path(folder)))
        example.load(Path(folder), base_model=case.base_model, made_by=case.base_model_by)
    with stages.stage("Prometheus, the operator (helm install), the server and its traffic"):
        example.apply("prometheus.yaml")
        install_operator(cluster)
        example.apply("serving.yaml")
        example.apply("traffic.yaml")
        example.rollout("prometheus", namespace=MONITORING)
        example.rollout("traffic")
    return Watched(example)


def tell(case: Case, stages: Stages, given: argparse.Namespace) -> None:
    """The demo from the first stage to the summary.

    Raises:
        Failure: something else than told came of it.
    """
    with stages.stage("The cluster and its images"):
        if given.kubeconfig:
            cluster = given_cluster(given.kubeconfig, given.registry)
        else:
            cluster = fresh_cluster()
    is_given = bool(given.kubeconfig)
    try:
        watched = prepare(case, cluster, stages)
    except BaseException:
        print(f"\n{_clean_up(cluster, given=is_given)}", flush=True)
        raise
    narrator = Narrator(watched, stages, case.floor)
    acts: list[Told] = []
    stillness = "not reached"
    try:
        for act in case.acts:
            with stages.stage(act.title):
                acts.append(play(act, case, watched, narrator))
        with stages.stage(case.last):
            stillness = quiet(case, watched, narrator)
    finally:
        print("\n".join(summary(case, acts, stillness, stages)), flush=True)
        if acts:
            print("\n".join(why(cluster, case.name)))
        print(look_around(cluster, case, given=is_given), flush=True)


def main() -> int:
    """0 if everything happened as told."""
    parser = argparse.ArgumentParser(
        prog="make demo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="As make writes them: make demo CASE=disease-prediction KUBECONFIG=FILE "
        "REGISTRY=registry.example/team",
    )
    parser.add_argument("case", metavar="CASE", help=f"the story to be told: {', '.join(names())}")
    parser.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="of a cluster that is there, with a default StorageClass; without it one is made",
    )
    parser.add_argument(
        "--registry",
        default="",
        metavar="HOST/PATH",
        help="where the images are pushed to and that cluster's nodes pull them from; without it "
        "the nodes must have them",
    )
    parser.add_argument(
        "--remove",
        action="store_true",
        help="remove what an earlier demo has put into that cluster (make demo-down)",
    )
    given = parser.parse_args()
    if given.remove and given.kubeconfig is None:
        parser.error(
            "say of which cluster: make demo-down KUBECONFIG=FILE; what the demo made for "
            "itself goes with make cluster-down"
        )
    if given.remove:
        return _remove(given.kubeconfig)
    stages = Stages()
    try:
        tell(find(given.case), stages, given)
    except Failure as failure:
        print(
            f"\nThe demo went another way than told, after {stages.clock()}:\n{failure}",
            file=sys.stderr,
        )
        return 1
    print(f"\nEverything happened as told, in {stages.clock()}.")
    return 0


def _remove(kubeconfig: Path) -> int:
    try:
        for step in remove(reached(kubeconfig)):
            print(step, flush=True)
    except Failure as failure:
        print(f"Not removed: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
