"""Status as JSON, and back. Thresholds and scores are strings there, numbers here."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from maintenance_contract import ChampionRef, ContractError, checks
from maintenance_contract.checks import Mismatch
from maintenance_contract.codec import Fields
from maintenance_contract.record import EVERY, JSON, Part, given, record
from maintenance_contract.values import Codec, each, if_there, or_else, text, whole
from maintenance_core.errors import SpecError
from maintenance_core.model import (
    Alarm,
    Baseline,
    Breach,
    Champion,
    Condition,
    Counts,
    Decision,
    HistoryEntry,
    Monitor,
    PathStep,
    Power,
    Reading,
    Recheck,
    ReferenceCounts,
    RejectedAction,
    Run,
    Score,
    Status,
    StatusEvidence,
    Stopping,
    TrainingPlan,
)

HISTORY: Final = 50
"""What the schema holds; ``spec.history.runs`` says how many of these are kept."""
BASELINE_SOURCE: Final = "Production"
MESSAGE_CHARACTERS: Final = 4096
PLACE_CHARACTERS: Final = 2048
"""A version's place is longer than that of the store it lies in."""
MOST_CLASSES: Final = 100
"""Of ``status.monitor.reference``; rarer ones count together."""


def read(status: Mapping[str, Any]) -> Status:
    """Parse ``status``.

    Raises:
        SpecError: somebody wrote into it by hand; says which field.
    """
    try:
        return Fields(status, "status").decoded(_STATUS.decode)
    except (ContractError, ValueError) as error:
        field, _, problem = str(error).partition(": ")
        raise SpecError(
            field,
            f"{problem} (status is the operator's: undo the change by hand, or "
            "remove the field with kubectl patch --subresource=status)",
        ) from None


def write(status: Status) -> dict[str, Any]:
    """The JSON of a status; absent is left out."""
    return _STATUS.document(status)


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC, to the second, as Kubernetes writes it."""
    return time.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def number(value: float) -> str:
    """A number as status shows it: at most six significant digits."""
    return f"{value:.6g}"


def champion_out(champion: Champion) -> dict[str, Any]:
    """The champion as status and the ConfigMap show it; the baseline is status' alone."""
    return _PROJECTED.document(champion)


def champion_in(fields: Fields) -> Champion:
    """Read a champion.

    Raises:
        ContractError: with the field that is wrong.
    """
    return fields.decoded(_PROJECTED.decode)


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


# --- how each part is spelled


_EARLIEST: Final = datetime(100, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""Times beyond are read as these: what is counted from them must still be a time."""


def _time(value: Any) -> datetime:
    written = checks.text(value)
    try:
        time = datetime.fromisoformat(written)
        if time.tzinfo is not UTC and time.tzinfo is not None:
            time = time.astimezone(UTC)
        if time.tzinfo is UTC:
            return time if _EARLIEST <= time <= _LATEST else min(max(time, _EARLIEST), _LATEST)
    except (ValueError, OverflowError):  # in UTC it may lie before year 1 or after 9999
        pass
    raise Mismatch(f"{written[:40]!r} is no RFC 3339 time")


def _number(value: Any) -> float:
    written = checks.text(value)
    try:
        return float(written)
    except ValueError:
        raise Mismatch(f"{written[:40]!r} is no number") from None


def _counted(value: Any) -> float:
    count = _number(value)
    if not math.isfinite(count):
        raise Mismatch(f"{value[:40]!r} is no finite number")
    return count


def _whole(value: float) -> int:
    """Within what the schema holds: the numbers come from queries and reports of others."""
    return round(min(max(value, 0.0), 2.0**53))


def _cut(most: int) -> Codec[str]:
    """A string that is written no longer than it is read: a status must never lock us out."""
    return Codec(text(most).decode, lambda said: said if len(said) <= most else said[:most])


_TYPES: Final[Mapping[Any, Codec[Any]]] = {
    **JSON,
    str: _cut(checks.TEXT),
    datetime: Codec(_time, timestamp),
    float: Codec(_number, number),
}
_WHOLE: Final = Codec(checks.number, _whole)
_REASON: Final = Codec(checks.text, lambda reason: str(reason)[: checks.TEXT])
_TEXT: Final = _cut(MESSAGE_CHARACTERS)
_MESSAGE: Final = Part(_TEXT, absent="")
_PLACE: Final = _cut(PLACE_CHARACTERS)

_CONDITION: Final = record(
    Condition, _TYPES, message=or_else("", _TEXT), observed_generation=or_else(0, whole())
)
_READING: Final = record(Reading, _TYPES, time=Part(key="observedTime"), samples=_WHOLE)

_EVIDENCE: Final = record(
    StatusEvidence, _TYPES, threshold=_TEXT, p_value=_TEXT, lower=_TEXT, upper=_TEXT
)
_STEP: Final = record(PathStep, always=EVERY, evidence=each(_EVIDENCE, most=64))
_POWER: Final = record(
    Power,
    _TYPES,
    chance_with_more=Part(key="chanceWithMoreRows"),
    smallest_gain_with_more=Part(key="smallestGainWithMoreRows"),
)
_PLAN: Final = record(TrainingPlan, always=EVERY, old_at_new_mix=Part(key="oldRowsAtNewMix"))
_DECISION: Final = record(
    Decision,
    _TYPES,
    reason=_REASON,
    message=_MESSAGE,
    path=each(_STEP, most=16),
    rejected=each(record(RejectedAction, _TYPES), most=16),
    power=_POWER,
    plan=Part(_PLAN, key="trainingPlan"),
)

_ALARM: Final = record(
    Alarm,
    _TYPES,
    kind=Part(key="test"),
    onset=Part(key="onsetTime"),
    since=Part(record(Counts, {float: Codec(_counted, number)}), flat=True),
)
_BREACH: Final = record(
    Breach,
    _TYPES,
    time=Part(key="observedTime"),
    samples=_WHOLE,
    bound=Part(key="threshold"),
    alarm=_ALARM,
    onset=Part(key="onsetTime"),
)
_COMPARED_WITH: Final = record(
    ChampionRef,
    _TYPES,
    version=Part(whole(least=1), key="championVersion"),
    digest=Part(key="championDigest"),
)
_RUN: Final = record(
    Run,
    _TYPES,
    always={"generation"},
    number=whole(least=1),
    generation=or_else(0, whole()),
    job_name=_TEXT,
    job_uid=Part(_TEXT, key="jobUID"),
    champion=Part(if_there("championVersion", _COMPARED_WITH), flat=True),
    breach=Part(_BREACH, key="trouble"),
    data_digest=_TEXT,
    request_digest=_TEXT,
    stopping=record(Stopping, reason=_REASON, message=or_else("", _TEXT)),
    report=_TEXT,
)
_RECHECK: Final = record(Recheck, _TYPES, data_digest=_TEXT, spec_digest=_TEXT)

_PROJECTED: Final = record(
    Champion, _TYPES, version=whole(least=1), storage_uri=_PLACE, baseline=given(None)
)
_BASELINE: Final = record(Baseline, _TYPES, samples=_WHOLE, also={"source": BASELINE_SOURCE})
_CHAMPION: Final = record(
    Champion, _TYPES, version=whole(least=1), storage_uri=_PLACE, baseline=_BASELINE
)

_SHARE: Final = Codec(_number, "{:.4f}".format)
_ERROR: Final = Codec(_number, "{:.6g}".format)
_OF_SHARES, _OF_ERRORS = (
    record(Score, {**JSON, float: number}, metric=_cut(32)) for number in (_SHARE, _ERROR)
)
_SCORE: Final = Codec(
    _OF_SHARES.decode,
    lambda score: (_OF_ERRORS if score.metric else _OF_SHARES).encode(score),
)
_ENTRY: Final = record(
    HistoryEntry,
    _TYPES,
    always={"generation", "trained"},
    number=whole(least=1),
    reason=_REASON,
    message=_MESSAGE,
    generation=or_else(0, whole()),
    data_digest=_TEXT,
    champion_digest=_TEXT,
    spec_digest=_TEXT,
    train_seconds=_WHOLE,
    new=Part(_SCORE, within="scores"),
    old=Part(_SCORE, within="scores"),
)


@dataclass(frozen=True, slots=True)
class _Class:
    """A class and what was counted of it."""

    name: str
    counts: Counts


_COUNTS: Final = record(Counts, {float: Codec(_counted, "{:.15g}".format)})
_CLASSES: Final = each(record(_Class, _TYPES, counts=Part(_COUNTS, flat=True)), most=MOST_CLASSES)
_REFERENCE: Final = record(
    ReferenceCounts,
    _TYPES,
    end=Part(key="time"),
    classes=Codec(
        lambda value: {one.name: one.counts for one in _CLASSES.decode(value)},
        lambda classes: _CLASSES.encode([_Class(*one) for one in classes.items()]),
    ),
)
_MONITOR: Final = record(Monitor, _TYPES, version=whole(least=1), reference=_REFERENCE)

_HISTORY: Final = each(_ENTRY, most=100)
_STATUS: Final = record(
    Status,
    always={"observed_generation", "conditions", "history"},
    observed_generation=or_else(-1, whole(least=-1)),
    conditions=each(_CONDITION, most=32),
    performance=_READING,
    decision=_DECISION,
    run=_RUN,
    recheck=_RECHECK,
    champion=_CHAMPION,
    history=Codec(_HISTORY.decode, lambda entries: _HISTORY.encode(entries[:HISTORY])),
    monitor=_MONITOR,
)
