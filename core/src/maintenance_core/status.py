"""Status as JSON, and back. Thresholds and scores are strings there, numbers here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from maintenance_contract import Answer, ChampionRef, ContractError, Question, TrainingAction
from maintenance_contract.codec import Fields
from maintenance_core.errors import SpecError
from maintenance_core.model import (
    Action,
    Alarm,
    Baseline,
    Breach,
    Champion,
    Condition,
    Counts,
    Decision,
    HistoryEntry,
    Kind,
    Monitor,
    PathStep,
    Power,
    Reading,
    Recheck,
    ReferenceCounts,
    RejectedAction,
    Run,
    RunOutcome,
    Score,
    Status,
    StatusEvidence,
    Step,
    Stopping,
    TrainingPlan,
    Trigger,
)

HISTORY: Final = 50
"""What the schema holds; ``spec.history.runs`` says how many of these are kept."""
BASELINE_SOURCE: Final = "Production"
MESSAGE_CHARACTERS: Final = 4096
MOST_CLASSES: Final = 100
"""Of ``status.monitor.reference``; rarer ones count together."""


def read(status: Mapping[str, Any]) -> Status:
    """Parse ``status``.

    Raises:
        SpecError: somebody wrote into it by hand; says which field.
    """
    try:
        return _read(Fields(status, "status"))
    except (ContractError, ValueError) as error:
        field, _, problem = str(error).partition(": ")
        raise SpecError(
            field,
            f"{problem} (status is the operator's: undo the change by hand, or "
            "remove the field with kubectl patch --subresource=status)",
        ) from None


def write(status: Status) -> dict[str, Any]:
    """The JSON of a status; absent is left out."""
    return _without_none(
        {
            "observedGeneration": status.observed_generation,
            "conditions": [_condition_out(condition) for condition in status.conditions],
            "performance": status.performance and _reading_out(status.performance),
            "decision": status.decision and _decision_out(status.decision),
            "run": status.run and _run_out(status.run),
            "recheck": status.recheck and _recheck_out(status.recheck),
            "champion": status.champion and _champion_out(status.champion),
            "monitor": status.monitor and _monitor_out(status.monitor),
            "history": [_entry_out(entry) for entry in status.history[:HISTORY]],
        }
    )


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC, to the second, as Kubernetes writes it."""
    return time.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def number(value: float) -> str:
    """A number as status shows it: at most six significant digits."""
    return f"{value:.6g}"


def champion_out(champion: Champion) -> dict[str, Any]:
    """The champion as status and the ConfigMap show it; the baseline is status' alone."""
    return {
        "version": champion.version,
        "storageUri": champion.storage_uri,
        "digest": champion.digest,
        "promotedTime": timestamp(champion.promoted_time),
        "action": champion.action.value,
    }


def champion_in(fields: Fields) -> Champion:
    """Read a champion.

    Raises:
        ContractError: with the field that is wrong.
    """
    return Champion(
        version=fields.integer("version", least=1),
        storage_uri=fields.string("storageUri"),
        digest=fields.string("digest"),
        promoted_time=_time(fields, "promotedTime"),
        action=fields.one_of("action", TrainingAction),
    )


def _without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None and value != ""}


def _whole(value: float | None) -> int | None:
    """Within what the schema holds: the numbers come from queries and reports of others."""
    return None if value is None else round(min(max(value, 0.0), 2.0**53))


def _time(fields: Fields, key: str) -> datetime:
    text = fields.string(key)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        msg = f"{fields.name(key)}: {text[:40]!r} is no RFC 3339 time"
        raise ContractError(msg)
    return time


def _float(fields: Fields, key: str) -> float:
    text = fields.string(key)
    try:
        return float(text)
    except ValueError:
        msg = f"{fields.name(key)}: {text[:40]!r} is no number"
        raise ContractError(msg) from None


def _optional_string(fields: Fields, key: str) -> str:
    return fields.string(key, most=MESSAGE_CHARACTERS) if fields.has(key) else ""


def _optional(fields: Fields, key: str, read_one: Callable[[Fields], Any]) -> Any:
    return read_one(fields.fields(key)) if fields.has(key) else None


def _read(fields: Fields) -> Status:
    return Status(
        observed_generation=fields.integer("observedGeneration", least=-1)
        if fields.has("observedGeneration")
        else -1,
        conditions=tuple(_condition_in(item) for item in fields.items("conditions", most=32)),
        performance=_optional(fields, "performance", _reading_in),
        decision=_optional(fields, "decision", _decision_in),
        run=_optional(fields, "run", _run_in),
        recheck=_optional(fields, "recheck", _recheck_in),
        champion=_optional(fields, "champion", _champion_in),
        history=tuple(_entry_in(item) for item in fields.items("history", most=100)),
        monitor=_optional(fields, "monitor", _monitor_in),
    )


def _champion_in(fields: Fields) -> Champion:
    champion, baseline = champion_in(fields), _optional(fields, "baseline", _baseline_in)
    return champion if baseline is None else replace(champion, baseline=baseline)


def _champion_out(champion: Champion) -> dict[str, Any]:
    baseline = champion.baseline and _baseline_out(champion.baseline)
    return _without_none({**champion_out(champion), "baseline": baseline})


def _baseline_in(fields: Fields) -> Baseline:
    return Baseline(
        _float(fields, "value"), _time(fields, "time"), fields.optional("samples", fields.number)
    )


def _baseline_out(baseline: Baseline) -> dict[str, Any]:
    return _without_none(
        {
            "value": number(baseline.value),
            "samples": _whole(baseline.samples),
            "source": BASELINE_SOURCE,
            "time": timestamp(baseline.time),
        }
    )


def _monitor_in(fields: Fields) -> Monitor:
    reference = fields.fields("reference")
    return Monitor(
        version=fields.integer("version", least=1),
        counter=fields.string("counter"),
        checkpoint_time=_time(fields, "checkpointTime"),
        reference=ReferenceCounts(
            _time(reference, "time"),
            {
                item.string("name"): _counts_in(item)
                for item in reference.items("classes", most=MOST_CLASSES)
            },
        ),
    )


def _monitor_out(monitor: Monitor) -> dict[str, Any]:
    reference = monitor.reference
    return {
        "version": monitor.version,
        "counter": monitor.counter,
        "checkpointTime": timestamp(monitor.checkpoint_time),
        "reference": {
            "time": timestamp(reference.end),
            "classes": [
                {"name": name, **_counts_out(counts)} for name, counts in reference.classes.items()
            ],
        },
    }


def _counts_in(fields: Fields) -> Counts:
    return Counts(_float(fields, "samples"), _float(fields, "errors"))


def _counts_out(counts: Counts) -> dict[str, str]:
    return {"samples": f"{counts.samples:.15g}", "errors": f"{counts.errors:.15g}"}


def _condition_in(fields: Fields) -> Condition:
    return Condition(
        type=fields.string("type"),
        status=fields.string("status"),
        reason=fields.string("reason"),
        message=_optional_string(fields, "message"),
        observed_generation=fields.integer("observedGeneration")
        if fields.has("observedGeneration")
        else 0,
        last_transition_time=_time(fields, "lastTransitionTime"),
    )


def _condition_out(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": timestamp(condition.last_transition_time),
    }


def _reading_in(fields: Fields) -> Reading:
    return Reading(
        time=_time(fields, "observedTime"),
        value=_float(fields, "value"),
        samples=fields.optional("samples", fields.number),
    )


def _reading_out(reading: Reading) -> dict[str, Any]:
    return _without_none(
        {
            "value": number(reading.value),
            "samples": _whole(reading.samples),
            "observedTime": timestamp(reading.time),
        }
    )


def _decision_in(fields: Fields) -> Decision:
    return Decision(
        number=fields.integer("number"),
        trigger=fields.one_of("trigger", Trigger),
        action=fields.one_of("action", Action),
        reason=fields.string("reason"),
        message=_optional_string(fields, "message"),
        path=tuple(_path_step_in(item) for item in fields.items("path", most=16)),
        rejected=tuple(
            RejectedAction(item.one_of("action", Action), item.string("because"))
            for item in fields.items("rejected", most=16)
        ),
        time=_time(fields, "time"),
        escalated_from=fields.optional("escalatedFrom", fields.integer),
        power=_optional(fields, "power", _power_in),
        plan=_optional(fields, "trainingPlan", _plan_in),
    )


def _power_in(fields: Fields) -> Power:
    return Power(
        fields.integer("newHeldOut"),
        fields.integer("oldHeldOut"),
        _float(fields, "chance"),
        _float(fields, "stake"),
        _float(fields, "smallestGain"),
        fields.integer("moreRows"),
        _float(fields, "chanceWithMoreRows"),
        _float(fields, "smallestGainWithMoreRows"),
    )


def _power_out(power: Power) -> dict[str, Any]:
    return {
        "newHeldOut": power.new_held_out,
        "oldHeldOut": power.old_held_out,
        "chance": number(power.chance),
        "stake": number(power.stake),
        "smallestGain": number(power.smallest_gain),
        "moreRows": power.more_rows,
        "chanceWithMoreRows": number(power.chance_with_more),
        "smallestGainWithMoreRows": number(power.smallest_gain_with_more),
    }


def _plan_in(fields: Fields) -> TrainingPlan:
    return TrainingPlan(
        exclude_contradicted=fields.boolean("excludeContradicted"),
        race=fields.boolean("race"),
        old_at_new_mix=fields.boolean("oldRowsAtNewMix"),
        cause_open=fields.boolean("causeOpen"),
    )


def _plan_out(plan: TrainingPlan) -> dict[str, bool]:
    return {
        "race": plan.race,
        "excludeContradicted": plan.exclude_contradicted,
        "oldRowsAtNewMix": plan.old_at_new_mix,
        "causeOpen": plan.cause_open,
    }


def _decision_out(decision: Decision) -> dict[str, Any]:
    return _without_none(
        {
            "number": decision.number,
            "trigger": decision.trigger.value,
            "escalatedFrom": decision.escalated_from,
            "action": decision.action.value,
            "reason": str(decision.reason),
            "message": decision.message[:MESSAGE_CHARACTERS],
            "path": [
                {
                    "question": step.question.value,
                    "answer": step.answer.value,
                    "evidence": [_evidence_out(evidence) for evidence in step.evidence],
                }
                for step in decision.path
            ],
            "rejected": [
                {"action": rejected.action.value, "because": rejected.because}
                for rejected in decision.rejected
            ],
            "time": timestamp(decision.time),
            "power": decision.power and _power_out(decision.power),
            "trainingPlan": decision.plan and _plan_out(decision.plan),
        }
    )


def _path_step_in(fields: Fields) -> PathStep:
    return PathStep(
        question=fields.one_of("question", Question),
        answer=fields.one_of("answer", Answer),
        evidence=tuple(
            StatusEvidence(
                item.string("name"),
                item.string("value"),
                _optional_string(item, "threshold"),
                _optional_string(item, "pValue"),
                item.optional("n", item.integer),
                _optional_string(item, "lower"),
                _optional_string(item, "upper"),
            )
            for item in fields.items("evidence", most=64)
        ),
    )


def _evidence_out(evidence: StatusEvidence) -> dict[str, Any]:
    return _without_none(
        {
            "name": evidence.name,
            "value": evidence.value,
            "threshold": evidence.threshold,
            "pValue": evidence.p_value,
            "n": evidence.n,
            "lower": evidence.lower,
            "upper": evidence.upper,
        }
    )


def _run_in(fields: Fields) -> Run:
    return Run(
        number=fields.integer("number", least=1),
        trigger=fields.one_of("trigger", Trigger),
        step=fields.one_of("step", Step),
        start_time=_time(fields, "startTime"),
        spec=fields.raw("spec"),
        generation=fields.optional("generation", fields.integer) or 0,
        job_name=_optional_string(fields, "jobName"),
        job_uid=_optional_string(fields, "jobUID"),
        champion=ChampionRef(
            fields.integer("championVersion", least=1), fields.string("championDigest")
        )
        if fields.has("championVersion")
        else None,
        breach=_optional(fields, "trouble", _breach_in),
        escalated_from=fields.optional("escalatedFrom", fields.integer),
        action=fields.optional("action", lambda key: fields.one_of(key, Action)),
        subject=fields.optional("subject", lambda key: fields.one_of(key, Step)),
        snapshot_run=fields.optional("snapshotRun", fields.integer),
        data_digest=_optional_string(fields, "dataDigest"),
        train_start_time=_time(fields, "trainStartTime") if fields.has("trainStartTime") else None,
        half_batches=fields.has("halfBatches") and fields.boolean("halfBatches"),
        stopping=_optional(
            fields,
            "stopping",
            lambda item: Stopping(item.string("reason"), _optional_string(item, "message")),
        ),
        report=_optional_string(fields, "report"),
    )


def _run_out(run: Run) -> dict[str, Any]:
    return _without_none(
        {
            "number": run.number,
            "trigger": run.trigger.value,
            "step": run.step.value,
            "startTime": timestamp(run.start_time),
            "generation": run.generation,
            "jobName": run.job_name,
            "jobUID": run.job_uid,
            "championVersion": run.champion and run.champion.version,
            "championDigest": run.champion and run.champion.digest,
            "trouble": run.breach and _breach_out(run.breach),
            "escalatedFrom": run.escalated_from,
            "action": run.action and run.action.value,
            "subject": run.subject and run.subject.value,
            "snapshotRun": run.snapshot_run,
            "dataDigest": run.data_digest,
            "trainStartTime": run.train_start_time and timestamp(run.train_start_time),
            "halfBatches": run.half_batches or None,
            "stopping": run.stopping
            and {"reason": str(run.stopping.reason), "message": run.stopping.message},
            "report": run.report,
            "spec": dict(run.spec),
        }
    )


def _breach_in(fields: Fields) -> Breach:
    return Breach(
        _time(fields, "observedTime"),
        _float(fields, "value"),
        fields.integer("breached"),
        fields.integer("counted"),
        fields.optional("samples", fields.number),
        _float(fields, "threshold") if fields.has("threshold") else None,
        _optional(fields, "alarm", _alarm_in),
        _time(fields, "onsetTime") if fields.has("onsetTime") else None,
    )


def _breach_out(breach: Breach) -> dict[str, Any]:
    return _without_none(
        {
            "observedTime": timestamp(breach.time),
            "value": number(breach.value),
            "breached": breach.breached,
            "counted": breach.counted,
            "samples": _whole(breach.samples),
            "threshold": None if breach.bound is None else number(breach.bound),
            "alarm": breach.alarm and _alarm_out(breach.alarm),
            "onsetTime": breach.onset and timestamp(breach.onset),
        }
    )


def _alarm_in(fields: Fields) -> Alarm:
    return Alarm(
        kind=fields.one_of("test", Kind),
        statistic=_float(fields, "statistic"),
        threshold=_float(fields, "threshold"),
        bound=_float(fields, "bound"),
        onset=_time(fields, "onsetTime"),
        since=_counts_in(fields),
    )


def _alarm_out(alarm: Alarm) -> dict[str, Any]:
    return {
        "test": alarm.kind.value,
        "statistic": number(alarm.statistic),
        "threshold": number(alarm.threshold),
        "bound": number(alarm.bound),
        "onsetTime": timestamp(alarm.onset),
        **{key: number(float(text)) for key, text in _counts_out(alarm.since).items()},
    }


def _recheck_in(fields: Fields) -> Recheck:
    return Recheck(
        fields.integer("count"), _time(fields, "time"), _optional_string(fields, "dataDigest")
    )


def _recheck_out(recheck: Recheck) -> dict[str, Any]:
    return _without_none(
        {"count": recheck.count, "time": timestamp(recheck.time), "dataDigest": recheck.data_digest}
    )


def _entry_in(fields: Fields) -> HistoryEntry:
    scores = fields.fields("scores") if fields.has("scores") else Fields({})
    return HistoryEntry(
        number=fields.integer("number", least=1),
        trigger=fields.one_of("trigger", Trigger),
        action=fields.one_of("action", Action),
        reason=fields.string("reason"),
        outcome=fields.one_of("outcome", RunOutcome),
        message=_optional_string(fields, "message"),
        start_time=_time(fields, "startTime"),
        end_time=_time(fields, "endTime"),
        generation=fields.optional("generation", fields.integer) or 0,
        data_digest=_optional_string(fields, "dataDigest"),
        champion_version=fields.optional("championVersion", fields.integer),
        champion_digest=_optional_string(fields, "championDigest"),
        version=fields.optional("version", fields.integer),
        trained=fields.boolean("trained"),
        train_seconds=fields.optional("trainSeconds", fields.number),
        new=_optional(scores, "new", _score_in),
        old=_optional(scores, "old", _score_in),
    )


def _entry_out(entry: HistoryEntry) -> dict[str, Any]:
    scores = _without_none(
        {"new": entry.new and _score_out(entry.new), "old": entry.old and _score_out(entry.old)}
    )
    return _without_none(
        {
            "number": entry.number,
            "trigger": entry.trigger.value,
            "action": entry.action.value,
            "reason": str(entry.reason),
            "outcome": entry.outcome.value,
            "message": entry.message[:MESSAGE_CHARACTERS],
            "startTime": timestamp(entry.start_time),
            "endTime": timestamp(entry.end_time),
            "generation": entry.generation,
            "dataDigest": entry.data_digest,
            "championVersion": entry.champion_version,
            "championDigest": entry.champion_digest,
            "version": entry.version,
            "trained": entry.trained,
            "trainSeconds": _whole(entry.train_seconds),
            "scores": scores or None,
        }
    )


def _score_in(fields: Fields) -> Score:
    return Score(
        fields.integer("n"),
        _float(fields, "champion"),
        _float(fields, "challenger"),
        fields.string("metric", most=32) if fields.has("metric") else "",
    )


def _score_out(score: Score) -> dict[str, Any]:
    digits = ".6g" if score.metric else ".4f"
    return {
        "n": score.n,
        "champion": f"{score.champion:{digits}}",
        "challenger": f"{score.challenger:{digits}}",
        **({"metric": score.metric} if score.metric else {}),
    }


def with_conditions(
    old: Iterable[Condition],
    new: Iterable[tuple[str, str, str, str]],
    *,
    generation: int,
    now: datetime,
    anew: frozenset[str] = frozenset(),
) -> tuple[Condition, ...]:
    """Replace the set of conditions by ``(type, status, reason, message)``.

    A condition that says the same as before (status and reason) keeps its message and time, so
    that numbers that wobble in a message are no reason to write; types in ``anew`` do not.
    """
    before = {condition.type: condition for condition in old}
    result = []
    for kind, status, reason, message in new:
        was = before.get(kind)
        same = was is not None and (was.status, was.reason) == (status, reason)
        kept = same and kind not in anew
        result.append(
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=was.message
                if was is not None and kept and was.observed_generation == generation
                else message,
                observed_generation=generation,
                last_transition_time=was.last_transition_time
                if was is not None and was.status == status
                else now,
            )
        )
    return tuple(result)
