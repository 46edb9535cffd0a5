"""Reports as a person reads them."""

from collections.abc import Iterator, Sequence
from typing import Final

from maintenance_contract import (
    AnyHeldOut,
    Evaluation,
    Evidence,
    HeldOutLoss,
    Paired,
    PairedCounts,
    PairedLoss,
    PairedScore,
    Reference,
    RowCounts,
    TrainingAction,
    TrainingReport,
)
from maintenance_contract.evidence_names import in_words
from maintenance_core.model import Action, Decision, Verdict
from maintenance_core.statistics import mcnemar

QUESTIONS = {
    "DataDistributionShift": "Data distribution shift?",
    "ConceptDrift": "Concept drift?",
    "FeatureSpaceChange": "Feature space change?",
}
_AGAINST: Final = {
    Reference.CHAMPION: "champion",
    Reference.BASELINE: "baseline",
    Reference.MAJORITY_CLASS: "majority class",
}
_WORDS_WIDTH: Final = 60
"""Most of them fit; the numbers of those that do not stand a little to the right."""


def diagnosis(report: TrainingReport) -> str:
    """Rows, answers and the numbers behind them."""
    return "\n".join(_diagnosis_lines(report))


def comparison(report: TrainingReport) -> str:
    """The fight on held-out rows."""
    return "\n".join(_comparison_lines(report))


def decision(made: Decision) -> str:
    """The rules' answer, and what to type next."""
    lines = [f"The rules' answer: {made.action.value} ({made.reason}). {made.message}"]
    if made.action.training is not None:
        lines.append("Next: train, with the same options.")
    elif made.action is Action.BLOCKED:
        lines.append("Mend that first; nothing is trained on it.")
    else:
        lines.append(
            "Nothing is trained now. To train all the same: train --action fine-tune or retrain; "
            "the gate judges it."
        )
    return "\n".join(lines)


def verdict(judged: Verdict, report: TrainingReport, champion: int | None) -> str:
    """What the gate says, and which version is in service."""
    version = report.candidate.version if report.candidate else 0
    if judged.promote:
        return f"Promoted: version {version} is in service from now on. {judged.message}"
    stays = f"version {champion} stays in service" if champion else "no version is in service yet"
    return (
        f"Rejected ({judged.reason}): {stays}. {judged.message}\n"
        f"Version {version} stays in the store to be looked at; nothing takes it for the champion."
    )


def new_rows(report: TrainingReport) -> int:
    """Newly labelled rows that the diagnosis has seen."""
    rows = report.diagnosis.rows if report.diagnosis else RowCounts()
    return rows.new_train + rows.new_held_out


def nothing_new(report: TrainingReport, suffixes: Sequence[str]) -> str:
    """What to do where no row has arrived that the champion does not know.

    Args:
        report: of the diagnosis.
        suffixes: of the files that hold rows of this kind.
    """
    left = report.left_out.told()
    files = f"{', '.join(suffixes[:-1])} or {suffixes[-1]} files"
    return (
        "No new data: there is no newly labelled row that the champion was not trained on, so "
        f"there is nothing to train. Add rows to --updates as {files}"
        f"{f'; not read: {left}' if left else ''}."
    )


def name(action: TrainingAction) -> str:
    """As it is written on the command line."""
    return "fine-tune" if action is TrainingAction.FINE_TUNE else "retrain"


def _diagnosis_lines(report: TrainingReport) -> Iterator[str]:
    found = report.diagnosis
    if found is None:
        return
    rows = found.rows
    yield f"Run {report.run}: diagnosis"
    labels = f"; {found.labels} labels" if found.labels else ""  # of numbers there are none
    yield (
        f"  rows: {rows.new_train} new and {rows.old_train} old to train on, {rows.new_held_out} "
        f"new and {rows.old_held_out} old held out{labels}"
    )
    for side, score in (("new", found.new), ("old", found.old)):
        if score is not None:
            yield f"  the champion on held-out {side} rows: {_scored(score)}"
    for finding in found.findings:
        yield f"  {QUESTIONS.get(finding.question, finding.question):<26}{finding.answer}"
        for evidence in finding.evidence:
            yield _evidence_line(evidence)
    if report.left_out.count:
        yield f"  left out, of the files there: {report.left_out.told(10)}"
    if found.new_labels:
        yield f"  new labels: {', '.join(found.new_labels[:10])}"
    if report.message:
        yield f"  note: {report.message}"
    if not found.findings:
        yield "  no champion yet: nothing to compare"


def _scored(its: AnyHeldOut) -> str:
    if isinstance(its, HeldOutLoss):
        return (
            f"{its.metric} {its.loss:.4g} on {its.n} (the baseline, which needs no model: "
            f"{its.baseline:.4g})"
        )
    return f"{its.score:.3f} ({its.correct} of {its.n})"


def _evidence_line(evidence: Evidence) -> str:
    line = f"      {in_words(evidence.name):<{_WORDS_WIDTH}}{evidence.value:7.3f}"
    if evidence.threshold is not None:
        line += f"  bound {evidence.threshold:g}"
    if evidence.p_value is not None:
        line += f"  p {evidence.p_value:.2g}"
    return line + (f"  n {evidence.n}" if evidence.n is not None else "")


def _comparison_lines(report: TrainingReport) -> Iterator[str]:
    candidate, scores = report.candidate, report.evaluation
    if candidate is None or scores is None:
        return
    against = _AGAINST[scores.reference]
    yield (
        f"Run {report.run}: version {candidate.version} by {name(candidate.action)} in "
        f"{report.timings.get('train', 0.0):.0f} s of training"
    )
    if report.message:
        yield f"  {report.message}"
    yield from _losses(scores)
    beside = scores.scores
    for side, counts, score in (
        ("new", scores.new, beside.new if beside else None),
        ("old", scores.old, beside.old if beside else None),
    ):
        if counts is not None:
            yield (
                f"  held-out {side} rows ({counts.n}): {against} {counts.champion_accuracy:.3f}, "
                f"challenger {counts.challenger_accuracy:.3f}; only it right "
                f"{counts.challenger_only}, only the {against} right {counts.champion_only}, "
                f"{_shown(counts, score)}"
            )


def _shown(counts: PairedCounts, score: Paired | None) -> str:
    """How sure it is; where rows belong together they are no independent witnesses."""
    if isinstance(score, PairedScore) and score.units:
        return f"standard error of the difference {score.standard_error:.2g} ({score.units} units)"
    return f"p {mcnemar(counts.challenger_only, counts.champion_only):.2g}"


def _losses(evaluation: Evaluation) -> Iterator[str]:
    """Of a kind without classes; the gate tells how sure that is."""
    scores = evaluation.scores
    against = "champion" if evaluation.reference is Reference.CHAMPION else "baseline"
    for side, its in (("new", scores.new), ("old", scores.old)) if scores else ():
        if isinstance(its, PairedLoss):
            yield (
                f"  held-out {side} rows ({its.n}): {its.metric} of the {against} "
                f"{its.champion:.4g}, of the challenger {its.challenger:.4g}; standard error of "
                f"the difference {its.standard_error * its.baseline:.2g}"
            )
