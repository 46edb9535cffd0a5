"""The gate: is the challenger better on new rows, and not worse on old ones?

The checks are asked in order, and the first that has something to say decides. Where old rows are
enough to show that nothing is lost, gain and loss are shown one by one, a loss that is little
beside the gain as that. Where they are few they
could not: then both ages are weighed together. The weighed gain must be shown to be positive, and
no loss on old rows beyond what is allowed may be shown.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from maintenance_contract import (
    COUNTED,
    HITS,
    LOSSES,
    Operation,
    Outcome,
    Paired,
    PairedCounts,
    PairedLoss,
    PairedScore,
    PairedScores,
    Reference,
    Sampling,
    ScoreMetric,
    TrainingReport,
)
from maintenance_core.decide.compared import ByLoss, Clustered, Compared, Counted, Scored
from maintenance_core.decide.paired_rows import (
    below_floor,
    better,
    kept,
    not_shown_to_forget,
    nothing_to_judge_on,
    reaches_floor,
    reported,
    weighed_bound,
    whose_gain,
)
from maintenance_core.decide.power import Level
from maintenance_core.decide.worth import many, proof_required, surer
from maintenance_core.model import Champion, Gate, OnConceptDrift, Score, TrainingPlan, Verdict
from maintenance_core.numbers import figure, p_value, percent
from maintenance_core.reasons import VerdictReason

_MEND: Final = (
    "Check that it is the model of these data, and that id2label in its config.json names its "
    "outputs in their order; or remove spec.model.initialModel, and a first version is trained."
)
_MEND_OF_NUMBERS: Final = (
    "Check that it is the model of these data, and that it answers in the unit of their labels; or "
    "remove spec.model.initialModel, and a first version is trained."
)
_MEND_OF_ITEMS: Final = (
    "Check that it is the model of these data, and that items.json names its items in the order of "
    "their tokens; or remove spec.model.initialModel, and a first version is trained."
)
NEARLY_ALL: Final = 0.95
"""Of the held-out rows are of one class: their share that is right hardly tells models apart."""
_NO_HELD_OUT_ROW: Final = (
    "There is no held-out row to judge on: add labelled rows, or hold more of them out "
    "(spec.data.holdout)."
)


@dataclass(frozen=True, slots=True)
class Contest:
    """What is judged, and by what.

    ``concept_drift``: the labels of old rows are out of date. ``imported``: the model was brought
    along, not trained.
    """

    report: TrainingReport
    gate: Gate
    champion: Champion | None
    concept_drift: bool
    imported: bool
    sampling: Sampling

    @property
    def new(self) -> Compared | None:
        """The new held-out rows."""
        evaluation, scores = self.report.evaluation, self._scores
        counts = evaluation.new if evaluation else None
        return self._compared(counts, scores.new if scores else None)

    @property
    def old(self) -> Compared | None:
        """The old ones."""
        scores = self._scores
        return self._compared(self.old_counts, scores.old if scores else None)

    @property
    def together(self) -> Compared | None:
        """All of them as one: where there is no champion, nobody has seen any."""
        evaluation, scores = self.report.evaluation, self._scores
        if evaluation is None:
            return None
        both = [counts for counts in (evaluation.new, evaluation.old) if counts is not None]
        counts = PairedCounts(
            n=sum(counts.n for counts in both),
            both_correct=sum(counts.both_correct for counts in both),
            champion_only=sum(counts.champion_only for counts in both),
            challenger_only=sum(counts.challenger_only for counts in both),
        )
        return self._compared(counts, scores.all if scores else None)

    @property
    def old_counts(self) -> PairedCounts | None:
        """Who gets how many of the old rows right."""
        return self.report.evaluation.old if self.report.evaluation else None

    @property
    def old_level(self) -> Level | None:
        """How many old rows there are, and how the champion does on them."""
        if self.by_loss:
            old = self.old
            return None if old is None else Level(old.n, old.champion, old.scale.deviation)
        counts, old = self.old_counts, self.old
        if counts is None:
            return None
        effect = old.design_effect if isinstance(old, Clustered) else 1.0
        return Level(counts.n, counts.champion_accuracy, design_effect=effect)

    @property
    def by_loss(self) -> bool:
        """Whether there are no classes."""
        return self.gate.metric in LOSSES

    @property
    def ranks(self) -> bool:
        """Whether right is what is ranked among the first."""
        return self.gate.metric in HITS

    def _compared(self, counts: PairedCounts | None, score: Paired | None) -> Compared | None:
        """By the score; where rows that are right are what counts by the counts, and by both."""
        if self.gate.metric not in COUNTED:
            return _scored(score)
        if counts is None or counts.n == 0:
            return None
        counted = Counted(counts, self.gate.metric if self.ranks else ScoreMetric.ACCURACY)
        return Clustered(counted, score) if isinstance(score, PairedScore) else counted

    @property
    def _scores(self) -> PairedScores | None:
        """Of rows that are right only where rows belong together."""
        return self.report.evaluation.scores if self.report.evaluation else None

    @property
    def report_only(self) -> bool:
        """Whether old rows are told and not judged."""
        return self.concept_drift and self.gate.on_concept_drift is OnConceptDrift.REPORT_ONLY

    def promoted(self, reason: VerdictReason, message: str) -> Verdict:
        """The challenger goes into service."""
        return self.ruled(reason, message, promote=True)

    def refused(self, reason: VerdictReason, message: str) -> Verdict:
        """It does not."""
        return self.ruled(reason, message, promote=False)

    def ruled(self, reason: VerdictReason, message: str, *, promote: bool) -> Verdict:
        """A verdict, with the scores that it rests on."""
        return Verdict(promote, reason, message, _score(self.new), _score(self.old))


Check = Callable[[Contest], Verdict | None]
Problem = Callable[[TrainingReport, Champion | None], str]


def gate_for(gate: Gate, plan: TrainingPlan) -> Gate:
    """What is asked of a challenger of that plan.

    Half the error of the better of two, as the same rows chose it. No likely gain alone where no
    cause is named: then nothing but these rows speaks for it.
    """
    if plan.cause_open:
        gate = surer(gate)
    if not plan.race:
        return gate
    return replace(
        gate,
        confidence=(1.0 + gate.confidence) / 2.0,
        weighed_confidence=(1.0 + gate.weighed_confidence) / 2.0,
    )


def judge(
    report: TrainingReport,
    *,
    gate: Gate,
    champion: Champion | None,
    concept_drift: bool,
    imported: bool = False,
    sampling: Sampling = Sampling.RANDOM,
) -> Verdict:
    """Promote the challenger, or say why not.

    On new rows the exact paired test must show it better at ``gate.confidence``, and the difference
    seen must reach ``gate.min_improvement`` (a floor for the estimate, no hypothesis of its own);
    on old rows the lower confidence bound of the difference must stay above ``-gate.max_old_loss``.
    Where old rows are many and the proof is not Required, the difference seen is enough instead of
    its bound, if the loss is shown to be at most a tenth of the gain that new rows show. Where they
    are fewer, or no proof is asked for (``worth.proof_required``), it is enough that the lower
    bound of both differences together, weighed by ``gate.old_weight``, lies above 0 at
    ``gate.weighed_confidence``, and the upper one of the old difference not below
    ``-gate.max_old_loss``; of new rows alone, at ``gate.confidence``, where old ones are not
    judged. Old rows are only reported, not judged, where ``concept_drift`` has made their labels
    wrong and the gate says so. Without a champion all held-out rows are judged together against the
    majority class: a trained version must be shown to beat it, one that was ``imported`` must do no
    worse. Where new rows are Targeted none are held out: then the challenger must be better on the
    old ones.
    """
    contest = Contest(report, gate, champion, concept_drift, imported, sampling)
    return next(verdict for check in CHECKS if (verdict := check(contest)) is not None)


# --- the checks -------------------------------------------------------------------------


def report_cannot_be_used(contest: Contest) -> Verdict | None:
    """A report that is of something else, or contradicts itself, promotes nothing."""
    said = (problem(contest.report, contest.champion) for problem in PROBLEMS)
    found = next(filter(None, said), "") or _without_metric(contest.report, contest.gate)
    if not found:
        return None
    return Verdict(
        promote=False,
        reason=VerdictReason.REPORT_INVALID,
        message=f"The trainer's report cannot be used: {found}.",
    )


def metric_without_value(contest: Contest) -> Verdict | None:
    """Rows that are there, of which the metric has no value, must not pass for none."""
    evaluation, metric = contest.report.evaluation, contest.gate.metric
    if evaluation is None or metric in COUNTED or contest.by_loss:
        return None
    pairs = [("new", evaluation.new, contest.new), ("old", evaluation.old, contest.old)]
    if contest.champion is None:
        pairs = [("", evaluation.new or evaluation.old, contest.together)]
    for age, counts, compared in pairs:
        if counts is not None and counts.n and compared is None:
            rows = " ".join(filter(None, (age, "held-out rows")))
            message = (
                f"spec.gate.metric {metric.value} has no value on the {rows}: they are of one "
                "class, or fewer than two. Add labelled rows, or judge by Accuracy."
            )
            return contest.refused(VerdictReason.NO_IMPROVEMENT, message)
    return None


def model_brought_along(contest: Contest) -> Verdict | None:
    """An imported model must do no worse than what needs no model: is it the right one at all?

    The model may have been trained on these rows, so its score says nothing good of it; a bad one
    says enough.
    """
    if not contest.imported:
        return None
    rows = contest.together
    worse, mend = VerdictReason.WORSE_THAN_MAJORITY, _MEND
    if contest.by_loss:
        worse, mend = VerdictReason.WORSE_THAN_BASELINE, _MEND_OF_NUMBERS
    if contest.ranks:
        worse, mend = VerdictReason.WORSE_THAN_BASELINE, _MEND_OF_ITEMS
    if rows is None:
        return contest.refused(worse, _NO_HELD_OUT_ROW)
    score = f"The model of spec.model.initialModel gets {rows.against_baseline()}"
    if rows.challenger >= rows.champion:
        note = "They may be among what it was trained on: it is the right model, no more is shown."
        return contest.promoted(VerdictReason.IMPORTED, f"{score}. {note}")
    return contest.refused(worse, f"{score}: it is not taken over. {mend}")


def first_version(contest: Contest) -> Verdict | None:
    """Without a champion, all held-out rows together must show it beats what needs no model."""
    if contest.champion is not None:
        return None
    rows = contest.together
    no_better, reference = VerdictReason.NOT_BETTER_THAN_MAJORITY, "the majority class"
    if contest.by_loss or contest.ranks:
        no_better, reference = VerdictReason.NOT_BETTER_THAN_BASELINE, "the baseline"
    if rows is None:
        return contest.refused(no_better, _NO_HELD_OUT_ROW)
    p = rows.win_p()
    asked = 1.0 - contest.gate.confidence
    numbers = (
        f"{rows.against_baseline()} ({rows.evidence()}, p {p_value(p)}, asked for {figure(asked)})"
    )
    if p <= asked:
        message = f"The first version gets {numbers}."
        return contest.promoted(VerdictReason.FIRST_VERSION, message)
    message = f"The first version is not shown to beat {reference}: {numbers}."
    if contest.gate.metric is ScoreMetric.ACCURACY and rows.champion >= NEARLY_ALL:
        message += (
            " Nearly all rows are of one class, so the share that is right tells little: set "
            "gate.metric to BalancedAccuracy, or with two classes to AUROC."
        )
    return contest.refused(no_better, message)


def targeted_labels(contest: Contest) -> Verdict | None:
    """Where new rows are no sample, none are held out: the old ones must show it better."""
    if contest.sampling is not Sampling.TARGETED:
        return None
    wins, message = better(contest.old, contest.gate, age="old")
    reason = VerdictReason.CHALLENGER_WINS if wins else VerdictReason.NO_IMPROVEMENT
    return contest.ruled(reason, message, promote=wins)


def each_age_alone(contest: Contest) -> Verdict | None:
    """New rows show a win and old ones no loss, or little; where proof is due, no less will do."""
    shown = _shown_alone(contest)
    required = proof_required(contest.gate, contest.old_level)
    return shown if shown.promote or required else None


def both_ages_together(contest: Contest) -> Verdict | None:
    """Too few old rows for a proof: a weighed gain that is shown, and no loss that is shown."""
    new, old, gate = contest.new, contest.old, contest.gate
    if new is None:
        return contest.refused(VerdictReason.NO_IMPROVEMENT, nothing_to_judge_on("new"))
    numbers = f"{new.values()} on {new.n} new held-out rows ({new.evidence()})"
    if not reaches_floor(new, gate):
        return contest.refused(VerdictReason.NO_IMPROVEMENT, below_floor(new, gate, numbers))
    judged = None if contest.report_only else old
    confidence = gate.confidence if judged is None else gate.weighed_confidence
    bound = weighed_bound(new, judged, gate, confidence)
    shown = f"with {percent(confidence)} confidence {whose_gain(judged, gate)}"
    keeps, on_old = reported(old) if contest.report_only else not_shown_to_forget(old, gate)
    if bound <= 0.0:
        alone = weighed_bound(new, None, gate, confidence) > 0.0
        reason = VerdictReason.FORGETS_OLD if alone else VerdictReason.NO_IMPROVEMENT
        said = f"Not shown to be better: {numbers}; {shown} may be {new.scale.points(bound)}."
        return contest.refused(reason, f"{said} {on_old}")
    reason = VerdictReason.CHALLENGER_WINS if keeps else VerdictReason.FORGETS_OLD
    message = f"Better: {numbers}; {shown} is at least {new.scale.points(bound)}. {on_old}"
    return contest.ruled(reason, message, promote=keeps)


CHECKS: Final[tuple[Check, ...]] = (
    report_cannot_be_used,
    metric_without_value,
    model_brought_along,
    first_version,
    targeted_labels,
    each_age_alone,
    both_ages_together,
)
"""The first that has something to say decides; the last always has."""


def _shown_alone(contest: Contest) -> Verdict:
    new, old, gate = contest.new, contest.old, contest.gate
    wins, on_new = better(new, gate)
    if new is None or not wins:
        return contest.refused(VerdictReason.NO_IMPROVEMENT, on_new)
    beside = new if many(contest.old_level) else None
    keeps, on_old = reported(old) if contest.report_only else kept(old, gate, beside)
    reason = VerdictReason.CHALLENGER_WINS if keeps else VerdictReason.FORGETS_OLD
    return contest.ruled(reason, f"{on_new} {on_old}", promote=keeps)


# --- what keeps a report from being judged ----------------------------------------------


def _of_a_diagnosis(report: TrainingReport, _: Champion | None) -> str:
    diagnosis = report.operation is Operation.DIAGNOSE
    return "it is of a diagnosis, not of a training" if diagnosis else ""


def _of_a_failure(report: TrainingReport, _: Champion | None) -> str:
    if report.outcome is Outcome.SUCCEEDED:
        return ""
    return f"it tells of a failure ({report.reason or 'no reason given'})"


def _without_challenger(report: TrainingReport, _: Champion | None) -> str:
    named = report.candidate is not None and report.candidate.digest
    return "" if named else "it names no challenger"


def _no_newer(report: TrainingReport, champion: Champion | None) -> str:
    candidate = report.candidate
    if candidate is None or champion is None or candidate.version > champion.version:
        return ""
    return (
        f"its challenger is version {candidate.version}, "
        f"no newer than the champion's {champion.version}"
    )


def _without_evaluation(report: TrainingReport, _: Champion | None) -> str:
    return "it holds no evaluation" if report.evaluation is None else ""


def _against_another(report: TrainingReport, champion: Champion | None) -> str:
    scores = report.evaluation.scores if report.evaluation else None
    expected = [Reference.CHAMPION]
    if champion is None:
        of_numbers = scores is not None and scores.metric in LOSSES
        # Of rankings the baseline is counted, too, and it is no class.
        expected = [Reference.BASELINE, *([] if of_numbers else [Reference.MAJORITY_CLASS])]
    if report.evaluation is None or report.evaluation.reference in expected:
        return ""
    against = report.evaluation.reference.value
    return f"the challenger was scored against {against}, not {expected[-1].value}"


def _without_metric(report: TrainingReport, gate: Gate) -> str:
    evaluation, metric = report.evaluation, gate.metric
    if evaluation is None or (metric in COUNTED and evaluation.scores is None):
        return ""
    there = evaluation.scores.metric if evaluation.scores else None
    return "" if there is metric else f"it has no score by spec.gate.metric {metric.value}"


def _contradictory(report: TrainingReport, _: Champion | None) -> str:
    if report.evaluation is None:
        return ""
    counted = (report.evaluation.new, report.evaluation.old)
    consistent = all(_consistent(counts) for counts in counted)
    return "" if consistent else "its counts of held-out rows contradict each other"


PROBLEMS: Final[tuple[Problem, ...]] = (
    _of_a_diagnosis,
    _of_a_failure,
    _without_challenger,
    _no_newer,
    _without_evaluation,
    _against_another,
    _contradictory,
)


def _consistent(counts: PairedCounts | None) -> bool:
    if counts is None:
        return True
    parts = (counts.both_correct, counts.champion_only, counts.challenger_only)
    return min(parts) >= 0 and sum(parts) <= counts.n


def _score(rows: Compared | None) -> Score | None:
    if isinstance(rows, ByLoss):
        its = rows.score
        return Score(its.n, its.champion, its.challenger, its.metric.value)
    return None if rows is None else Score(rows.n, rows.champion, rows.challenger)


def _scored(score: Paired | None) -> Compared | None:
    if isinstance(score, PairedLoss):
        return ByLoss(score)
    return None if score is None else Scored(score)
