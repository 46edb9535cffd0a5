"""A report fits in a termination message, and a hostile one is refused, not believed."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintenance_contract import (
    LOSSES,
    Answer,
    AnyHeldOut,
    Candidate,
    ContractError,
    Diagnosis,
    Evaluation,
    Evidence,
    Finding,
    HeldOut,
    HeldOutLoss,
    LeftOut,
    LeftOutFile,
    Operation,
    Outcome,
    PairedCounts,
    PairedLoss,
    PairedScores,
    Question,
    Reference,
    RowCounts,
    StoreState,
    TrainingAction,
    TrainingReport,
)
from maintenance_contract.report import MESSAGE_BYTES

NUMBER = st.floats(-1e6, 1e6).map(lambda value: float(f"{value:.6g}"))
COUNT = st.integers(0, 10**7)


def six(value: float) -> float:
    return float(f"{value:.6g}")


ABOVE = st.floats(1e-9, 1e12).map(six)
SHARE = st.floats(0, 1e6).map(six)


@st.composite
def paired(draw: st.DrawFn) -> PairedCounts:
    both, champion, challenger, neither = (draw(COUNT) for _ in range(4))
    return PairedCounts(both + champion + challenger + neither, both, champion, challenger)


@st.composite
def held_out(draw: st.DrawFn) -> AnyHeldOut:
    n = draw(COUNT)
    if n and draw(st.booleans()):
        metric, baseline = draw(st.sampled_from(LOSSES)), draw(ABOVE)
        units = draw(st.integers(1, n))
        return HeldOutLoss(metric, n, units, six(baseline * draw(SHARE)), baseline, draw(SHARE))
    return HeldOut(n, draw(st.integers(0, n)))


@st.composite
def paired_losses(draw: st.DrawFn) -> PairedScores:
    metric, baseline = draw(st.sampled_from(LOSSES)), draw(ABOVE)

    def one() -> PairedLoss:
        n = draw(st.integers(1, 10**7))
        units = draw(st.integers(1, n))
        both = six(baseline * draw(SHARE)), six(baseline * draw(SHARE))
        errors = draw(SHARE), draw(NUMBER), draw(SHARE)
        degrees = draw(st.none() | st.floats(1.0, 1e6).map(six))
        return PairedLoss(metric, n, units, *both, baseline, *errors, degrees)

    return PairedScores(metric, *(one() if draw(st.booleans()) else None for _ in range(3)))


EVIDENCE = st.builds(
    Evidence,
    st.text(max_size=64),
    NUMBER,
    st.none() | NUMBER,
    st.none() | NUMBER,
    st.none() | COUNT,
    st.none() | NUMBER,
    st.none() | NUMBER,
)
FINDINGS = st.lists(
    st.builds(
        Finding,
        st.sampled_from(Question),
        st.sampled_from(Answer),
        st.lists(EVIDENCE, max_size=20).map(tuple),
    ),
    max_size=5,
).map(tuple)
REPORTS = st.builds(
    TrainingReport,
    operation=st.sampled_from(Operation),
    run=st.integers(1, 10**9),
    request_digest=st.text(max_size=71),
    outcome=st.sampled_from(Outcome),
    reason=st.text(max_size=32),
    message=st.text(max_size=4000),
    snapshot_digest=st.text(max_size=71),
    store=st.builds(StoreState, COUNT, COUNT),
    diagnosis=st.none()
    | st.builds(
        Diagnosis,
        st.builds(RowCounts, COUNT, COUNT, COUNT, COUNT),
        FINDINGS,
        st.none() | held_out(),
        st.none() | held_out(),
        COUNT,
        st.lists(st.text(max_size=60), max_size=30).map(tuple),
    ),
    candidate=st.none()
    | st.builds(
        Candidate, st.integers(1, 10**6), st.text(max_size=71), st.sampled_from(TrainingAction)
    ),
    evaluation=st.none()
    | st.builds(Evaluation, st.sampled_from(Reference), st.none() | paired(), st.none() | paired())
    | st.builds(Evaluation, st.sampled_from(Reference), scores=paired_losses()),
    timings=st.dictionaries(
        st.text(max_size=20), st.floats(0, 1e6).map(lambda seconds: round(seconds, 3)), max_size=9
    ),
    truncated=st.booleans(),
    left_out=st.lists(
        st.builds(
            LeftOutFile,
            st.text(st.characters(categories=("L", "N", "P")), max_size=200),
            st.text(st.characters(categories=("L", "N", "P")), max_size=200),
        ),
        max_size=40,
    ).map(LeftOut.of),
)
A_LOSS: dict[str, object] = {
    "n": 5,
    "units": 5,
    "champion": 4.1,
    "challenger": 3.2,
    "baseline": 10.0,
    "standardError": 0.1,
    "skewness": 0.0,
    "deviation": 0.3,
}
REPORT = TrainingReport(
    Operation.TRAIN,
    3,
    "sha256:aa",
    Outcome.SUCCEEDED,
    evaluation=Evaluation(Reference.CHAMPION, PairedCounts(10, 4, 1, 3)),
)


@pytest.mark.slow
@given(REPORTS)
def test_comes_back_as_it_went(report: TrainingReport) -> None:
    assert TrainingReport.from_json(report.to_json()) == report


@pytest.mark.slow
@given(REPORTS)
def test_the_message_fits_and_keeps_what_a_decision_needs(report: TrainingReport) -> None:
    message = report.to_message()
    assert len(message.encode()) <= MESSAGE_BYTES
    back = TrainingReport.from_json(message)
    assert back.left_out.count == report.left_out.count
    assert (back.outcome, back.reason, back.candidate, back.evaluation) == (
        report.outcome,
        report.reason,
        report.candidate,
        report.evaluation,
    )
    assert back.truncated == (report.truncated or len(report.to_json().encode()) > MESSAGE_BYTES)
    if report.diagnosis is not None:
        assert back.diagnosis is not None
        assert back.diagnosis.rows == report.diagnosis.rows
        assert [f.answer for f in back.diagnosis.findings] == [
            f.answer for f in report.diagnosis.findings
        ]


def test_a_thousand_labels_with_foreign_names_fit() -> None:
    evidence = tuple(
        Evidence(f"测量-{index}", 0.123456, 0.05, 1e-9, 100_000) for index in range(40)
    )
    report = replace(
        REPORT,
        message="ошибка " * 700,
        diagnosis=Diagnosis(
            RowCounts(1, 2, 3, 4),
            tuple(Finding(question, Answer.MAJOR, evidence) for question in Question),
            HeldOut(300, 200),
            HeldOut(500, 400),
            1000,
            tuple(f"категория-{index}-größe" for index in range(1000)),
        ),
    )
    message = report.to_message()
    assert len(message.encode()) <= MESSAGE_BYTES
    back = TrainingReport.from_json(message)
    assert back.truncated
    assert back.diagnosis is not None
    assert back.diagnosis.labels == 1000
    assert all(finding.answer is Answer.MAJOR for finding in back.diagnosis.findings)


@pytest.mark.parametrize(
    "change, told",
    [
        ({"version": 99}, "version 99 is not understood"),
        ({"outcome": "Great"}, "outcome"),
        (
            {
                "evaluation": {
                    "reference": "Champion",
                    "new": {"n": 10, "bothCorrect": 8, "championOnly": 3, "challengerOnly": 0},
                }
            },
            "evaluation.new.championOnly",
        ),
        (
            {
                "evaluation": {
                    "reference": "Champion",
                    "new": {"n": -1, "bothCorrect": 0, "championOnly": 0, "challengerOnly": 0},
                }
            },
            "evaluation.new.n",
        ),
        ({"candidate": {"version": 0, "digest": "d", "action": "FineTune"}}, "candidate.version"),
        ({"timings": {"train": "fast"}}, "timings.train"),
        ({"reason": "x" * 100}, "reason"),
        (
            {
                "diagnosis": {
                    "rows": {"newTrain": 1, "newHeldOut": 1, "oldTrain": 1, "oldHeldOut": 1},
                    "labels": 2,
                    "new": {"n": 5, "correct": 6},
                }
            },
            "diagnosis.new.correct",
        ),
        *(
            (
                {
                    "evaluation": {
                        "reference": "Champion",
                        "scores": {"metric": "MAE", "new": wrong},
                    }
                },
                told,
            )
            for wrong, told in (
                (A_LOSS | {"baseline": 0}, "scores.new.baseline: a number above 0"),
                (A_LOSS | {"champion": -1}, "scores.new.champion"),
                (A_LOSS | {"challenger": 1e300}, "scores.new.challenger: a number from 0 to 1e"),
                (A_LOSS | {"baseline": 1e-320}, "scores.new.champion"),
                (A_LOSS | {"units": 6}, "scores.new.units"),
                (A_LOSS | {"standardError": -0.1}, "scores.new.standardError"),
                (A_LOSS | {"skewness": "left"}, "scores.new.skewness"),
            )
        ),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(change: dict[str, object], told: str) -> None:
    document = json.loads(REPORT.to_json()) | change
    with pytest.raises(ContractError, match=told):
        TrainingReport.from_json(json.dumps(document))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "1" + "0" * 400])
def test_numbers_that_are_none_are_refused(value: str) -> None:
    text = replace(REPORT, timings={"train": 12345.0}).to_json().replace("12345.0", value)
    assert value in text
    with pytest.raises(ContractError, match=r"timings\.train"):
        TrainingReport.from_json(text)


def test_accuracies_of_paired_counts() -> None:
    counts = PairedCounts(10, 4, 1, 3)
    assert (counts.champion_accuracy, counts.challenger_accuracy) == (0.5, 0.7)
    assert PairedCounts(0, 0, 0, 0).champion_accuracy == 0.0


def test_files_left_out_are_named_as_far_as_there_is_room_and_always_counted() -> None:
    files = [LeftOutFile(f"updates/{n}-{'x' * 150}.csv.gz", "compressed") for n in range(900)]
    report = replace(REPORT, left_out=LeftOut.of(files), message="m" * 4000)
    back = TrainingReport.from_json(report.to_message())
    assert back.left_out.count == 900
    assert len(back.left_out.files) in {0, 3}
    short = replace(REPORT, left_out=LeftOut.of(files[:2]))
    assert TrainingReport.from_json(short.to_message()).left_out == short.left_out
    assert short.left_out.told(1).endswith("(compressed) and 1 more")
    assert '"leftOut"' not in REPORT.to_json(), "an older operator reads what it always read"


def test_a_name_of_a_file_cannot_steer_a_terminal() -> None:
    hostile = LeftOut.of([LeftOutFile("updates/\x1b[2J\u202etxt.exe\n.gz", "compressed\x07")])
    back = TrainingReport.from_json(replace(REPORT, left_out=hostile).to_json())
    assert back.left_out.files == (LeftOutFile("updates/?[2J?txt.exe?.gz", "compressed?"),)


def test_half_a_character_never_keeps_a_report_from_leaving() -> None:
    report = TrainingReport(
        Operation.DIAGNOSE,
        1,
        "sha256:x",
        Outcome.FAILED,
        "InternalError",
        "\ud83d at updates/\udcff",
    )
    message = report.to_message()
    assert len(message.encode()) <= 4096
    assert TrainingReport.from_json(message).message == "\ufffd at updates/\ufffd"
