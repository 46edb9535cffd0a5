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

import stretches
import yaml
from maintenance_examples import telling
from maintenance_examples.clusters import MONITORING, Cluster, fresh_cluster
from maintenance_examples.deployment import MANIFESTS, Example, install_operator
from maintenance_examples.given import given_cluster, reached
from maintenance_examples.leaving import remove
from maintenance_examples.shell import CACHE, ROOT, Failure, Stages, run, until
from maintenance_examples.watching import Watched, is_true
from packages import FetchError

NAME: Final = "package-sections"
STILL_SECONDS: Final = 300
"""For an act that does not get on: no Job, no pod and no answer moves."""
WINDOW_ROWS: Final = stretches.SERVED_ROWS
"""The server's accuracy is of so many answers: of the whole stretch, so that no draw of rows is
lucky."""
RECOVERY_SECONDS: Final = 60
ENOUGH_WINDOWS: Final = 3
"""So much traffic at most may pass before accuracy is back, and then so many seconds."""
QUIET_READINGS: Final = 6
"""More than a breach looks back on."""
TELL_EVERY: Final = 5.0


@dataclass(frozen=True, slots=True)
class Act:
    """What changes in the world, and what should come of it."""

    stretch: str
    title: str
    says: str
    action: str
    version: int


ACTS: Final = (
    Act("known", "Act 1: no model yet", "The traffic is packages of Debian 11, none of them games.",
        "Retrain", 1),
    Act("games", "Act 2: games enter the traffic",
        "Two fifths of the traffic are games now; version 1 never saw any. Their label is desktop.",
        "FineTune", 2),
    Act("refiled", "Act 3: sections are re-filed",
        "The same packages under other labels: " + ", ".join(
            f"{old} is now {new}" for old, new in stretches.REFILED.items())
        + ". (We inject this concept drift; Debian never did it.)",
        "Retrain", 3),
)  # fmt: skip


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


def play(act: Act, example: Example, watched: Watched, narrator: Narrator) -> Told:
    """Change the world, wait for the operator, check what it did.

    Raises:
        Failure: something else than expected came of it.
    """
    narrator.say(act.says)
    before = {entry["number"] for entry in watched.status().get("history", [])}
    told_accuracy = {"before": watched.accuracy(2)}
    narrator.lowest = None
    if act.version > 1:
        example.set_traffic(act.stretch)
    else:
        example.apply("modelmaintenance.yaml")
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
    _await_recovery(act, watched, narrator)
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


def _await_recovery(act: Act, watched: Watched, narrator: Narrator) -> None:
    """Until the version serves well by a whole window; on a slow machine that takes its time."""

    def answers() -> int:
        return min(watched.answers(act.version), ENOUGH_WINDOWS * WINDOW_ROWS)

    def recovered() -> bool | None:
        status = narrator.look()
        value = watched.accuracy()
        up = value is not None and value >= _floor()
        full = watched.served_version() == act.version and answers() >= WINDOW_ROWS
        return (full and up and not is_true(status, "Degraded")) or None

    until(f"{act.title}: accuracy above the floor again with version {act.version}", recovered,
          seconds=RECOVERY_SECONDS, progress=answers)  # fmt: skip


def quiet(example: Example, watched: Watched, narrator: Narrator) -> str:
    """A stretch without change: whatever the operator does now is wrong.

    Raises:
        Failure: it decided, ran or trained something.
    """
    status, jobs = watched.status(), set(watched.jobs())
    example.set_traffic("quiet")
    narrator.say(f"Nothing changes any more. We watch for {QUIET_READINGS} readings: "
                 "nothing may be done.")  # fmt: skip
    before = watched.readings()

    def read() -> int | None:
        now = narrator.look()
        for part in ("decision", "run", "history", "champion"):
            if now.get(part) != status.get(part):
                raise Failure(f"Act 4: nothing changed, but the operator changed {part}: "
                              f"{now.get(part)}")  # fmt: skip
        readings = watched.readings() - before
        return readings if readings >= QUIET_READINGS else None

    readings = until(f"Act 4: {QUIET_READINGS} readings", read, seconds=STILL_SECONDS,
                     progress=watched.readings)  # fmt: skip
    if started := set(watched.jobs()) - jobs:
        raise Failure(f"Act 4: nothing changed, but Jobs were created: {', '.join(started)}")
    return f"{readings} readings, no decision, no Job, no training"


def summary(acts: list[Told], stillness: str, stages: Stages) -> Iterator[str]:
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
    yield f"\nAct 4: a quiet stretch\n  {stillness}"
    yield "\n=== Time of each stage"
    for title, seconds in stages.seconds.items():
        yield f"  {seconds:6.0f} s  {title}"
    yield f"  {stages.total:6.0f} s  in all"


PLUGIN: Final = ROOT / "dev/bin"


def why(cluster: Cluster) -> Iterator[str]:
    """``kubectl mm why`` of the last decision as it prints it, and the same as a picture."""
    kubeconfig = f"--kubeconfig={cluster.kubeconfig}"
    command = (PLUGIN / "kubectl-mm", "why", NAME, "-n", NAME, kubeconfig)
    yield f"\n=== Why? Ask it yourself:  kubectl mm why {NAME} -n {NAME}\n"
    yield run(*command)
    picture = CACHE / "demo" / "why.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    run(*command, "-o", "svg", "-f", picture)
    yield f"As a picture (kubectl mm why {NAME} -n {NAME} -o svg):  {picture}"


def look_around(cluster: Cluster, *, given: bool) -> str:
    """How a person goes on from here."""
    path = dict.fromkeys([PLUGIN, cluster.kubectl_program.parent, cluster.helm_program.parent])
    return f"""
=== Look around (the cluster stays {"as it is" if given else "up"})
  export KUBECONFIG={cluster.kubeconfig} PATH={":".join(map(str, path))}:$PATH
  kubectl get mm -A
  kubectl mm status {NAME} -n {NAME}     # where it stands, what happens next, what you must do
  kubectl mm why {NAME} -n {NAME}        # its last decision, question by question
  kubectl mm history {NAME} -n {NAME}    # runs and their scores
  kubectl -n {NAME} get jobs,pods,configmaps
  kubectl explain modelmaintenance.spec
  Prometheus:  kubectl -n {MONITORING} port-forward service/prometheus 9090
               then http://localhost:9090/graph?g0.expr=model_accuracy&g0.tab=0&g0.range_input=15m
  Change the world yourself (known, games, refiled or quiet):
  kubectl -n {NAME} patch configmap {NAME}-traffic -p '{{"data":{{"stretch":"known"}}}}'
{_clean_up(cluster, given=given)}"""


def _clean_up(cluster: Cluster, *, given: bool) -> str:
    command = f"make demo-down KUBECONFIG={cluster.kubeconfig}" if given else "make cluster-down"
    return f"Clean up:  {command}"


def prepare(cluster: Cluster, stages: Stages) -> Watched:
    """Data, Prometheus, operator, server and traffic; no resource yet."""
    example = Example(cluster, NAME)
    if not cluster.gpus:
        print("The node offers no nvidia.com/gpu: the training Jobs will not ask for one.")
    with stages.stage("Data: package synopses from this machine's apt mirror, into a claim"):
        data = stretches.build(CACHE)
        print(f"{len(data.original)} original rows; "
              + ", ".join(f"{s.name}: {len(s.served)} of traffic, {len(s.labelled)} labelled"
                          for s in data.stretches))  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            stretches.write(data, Path(folder))
            example.load(Path(folder))
    with stages.stage("Prometheus, the operator (helm install), the server and its traffic"):
        example.apply("prometheus.yaml")
        install_operator(cluster)
        example.apply("serving.yaml")
        example.apply("traffic.yaml")
        example.rollout("prometheus", namespace=MONITORING)
        example.rollout("traffic")
    return Watched(example)


def tell(stages: Stages, given: argparse.Namespace) -> None:
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
        watched = prepare(cluster, stages)
    except BaseException:
        print(f"\n{_clean_up(cluster, given=is_given)}", flush=True)
        raise
    narrator = Narrator(watched, stages, _floor())
    acts: list[Told] = []
    stillness = "not reached"
    try:
        for act in ACTS:
            with stages.stage(act.title):
                acts.append(play(act, watched.example, watched, narrator))
        with stages.stage("Act 4: a quiet stretch"):
            stillness = quiet(watched.example, watched, narrator)
    finally:
        print("\n".join(summary(acts, stillness, stages)), flush=True)
        if acts:
            print("\n".join(why(cluster)))
        print(look_around(cluster, given=is_given), flush=True)


def _floor() -> float:
    resource = yaml.safe_load((MANIFESTS / "modelmaintenance.yaml").read_text(encoding="utf-8"))
    return float(resource["spec"]["metrics"]["performance"]["thresholdRange"]["min"])


def main() -> int:
    """0 if everything happened as told."""
    parser = argparse.ArgumentParser(
        prog="make demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="As make writes them: make demo KUBECONFIG=FILE REGISTRY=registry.example/team",
    )  # fmt: skip
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE",
        help="of a cluster that is there, with a default StorageClass; without it one is made",
    )  # fmt: skip
    parser.add_argument(
        "--registry", default="", metavar="HOST/PATH",
        help="where the images are pushed to and that cluster's nodes pull them from; without it "
        "the nodes must have them",
    )  # fmt: skip
    parser.add_argument(
        "--remove", action="store_true",
        help="remove what an earlier demo has put into that cluster (make demo-down)",
    )  # fmt: skip
    given = parser.parse_args()
    if given.remove and given.kubeconfig is None:
        parser.error("say of which cluster: make demo-down KUBECONFIG=FILE; what the demo made for "
                     "itself goes with make cluster-down")  # fmt: skip
    if given.remove:
        return _remove(given.kubeconfig)
    stages = Stages()
    try:
        tell(stages, given)
    except (Failure, FetchError) as failure:
        print(f"\nThe demo went another way than told, after {stages.clock()}:\n{failure}",
              file=sys.stderr)  # fmt: skip
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
