"""Diagnose: check the request, fix the data snapshot, score the champion, answer the questions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maintenance_contract import (
    HITS,
    LOSSES,
    Diagnosis,
    Evidence,
    Finding,
    LeftOut,
    LeftOutFile,
    Operation,
    Outcome,
    Sampling,
    ScoreMetric,
    TrainingAction,
    TrainingReport,
    evidence_names,
    metrics_of,
)
from maintenance_trainer.data import folders, labels, validation
from maintenance_trainer.data.auto_holdout import Before
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.shares import Shares
from maintenance_trainer.data.snapshot import Snapshot, read_again, take_snapshot
from maintenance_trainer.data.split import Dataset, refuse_too_little
from maintenance_trainer.design_effect import units_of
from maintenance_trainer.diagnose import (
    deliveries,
    examine,
    feature_space,
    quality,
    quality_of_numbers,
)
from maintenance_trainer.diagnose import thresholds as at
from maintenance_trainer.diagnose.answers import Measure
from maintenance_trainer.diagnose.measured import Flags, Floats
from maintenance_trainer.diagnose.numbers import Again, NumberSample, number_of
from maintenance_trainer.diagnose.samples import Sample
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.evaluate import held_out, refuse_metric, yardstick
from maintenance_trainer.model_field import Given
from maintenance_trainer.paired_losses import Yardstick
from maintenance_trainer.recipes import fine_tune, retrain
from maintenance_trainer.store import versions
from maintenance_trainer.store.units import fair_under, known_inputs
from maintenance_trainer.store.versions import Version
from maintenance_trainer.tasks.task import Model, Outputs
from maintenance_trainer.work import Work


def diagnose(work: Work) -> TrainingReport:
    """Answer the workflow's questions about the new labelled rows.

    Raises:
        DataError: the data cannot be used.
        ConfigurationError: the request, the base model or the champion cannot be used.
    """
    request, store = work.request, work.store
    with work.timings.of("check"):
        tiny = check(work)
        champion = work.champion()
    work.progress.stage("reading data")
    with work.timings.of("read"):
        fair, told = fair_under(store, champion, request.data) if champion else (None, "")
        snapshot, dataset = _snapshot(work, champion, fair)
        left_out = (
            *_updates_first(dataset.left_out),
            *folders.left_out(
                request.data,
                work.places,
                {(file.origin, file.name) for file in snapshot.files},
                work.source.suffixes,
            ),
        )
    if champion is None:
        refuse_too_little(dataset, None, fresh=True)
    refuse_metric(request.metric, _strata(dataset))
    known: Collection[str] = champion.labels if champion else ()
    remarks = [told] if told else []
    with work.timings.of("rehearse"):
        _check_arguments(work, tiny, dataset, fresh=champion is None)
    diagnosis = Diagnosis(rows=dataset.counts, labels=len(_strata(dataset)))
    if champion is not None:
        deliveries.check(dataset)
        diagnosis = _compare(work, champion, snapshot, dataset, diagnosis, remarks)
    elif request.model.initial_model:
        diagnosis, known = _introduce(work, dataset, diagnosis, remarks)
    else:
        remarks += work.task.check_rows(None, dataset)
    report = TrainingReport(
        operation=Operation.DIAGNOSE,
        run=request.run,
        request_digest=request.digest,
        outcome=Outcome.SUCCEEDED,
        message=" ".join((*dataset.remarks, *remarks, *labels.hints(dataset.spellings, known))),
        snapshot_digest=snapshot.digest,
        store=store.state(),
        diagnosis=diagnosis,
        timings=work.timings.seconds,
        left_out=LeftOut.of(left_out),
    )
    work.keep(report)
    return report


def _updates_first(left: Sequence[LeftOutFile]) -> list[LeftOutFile]:
    return sorted(left, key=lambda each: each.name.startswith(f"{folders.Origin.ORIGINAL}/"))


def check(work: Work) -> Model | None:
    """Refuse what a training would stumble over, before a GPU is asked for.

    Returns:
        A tiny model of the base model's kind, where one can be made.

    Raises:
        ConfigurationError: BaseModelMissing, BaseModelUnreadable, InitialModelMissing,
            InitialModelUnreadable, ArgumentUnknown, ArgumentInvalid.
    """
    task, model, recipes = work.task, work.request.model, work.request.recipes
    work.source.check_model(model.base_model, work.base_model, Given.BASE)
    if model.initial_model:
        work.source.check_model(model.initial_model, work.initial_model, Given.INITIAL)
    versions.refuse_full(work.store, work.base_model)
    task.check_arguments(TrainingAction.FINE_TUNE, recipes.fine_tune_arguments)
    task.check_arguments(TrainingAction.RETRAIN, recipes.retrain_arguments)
    work.progress.stage("rehearsing with a tiny model")
    if model.initial_model:
        task.rehearse(work.initial_model, Given.INITIAL, work.progress)
    return task.rehearse(work.base_model, Given.BASE, work.progress)


def _check_arguments(work: Work, tiny: Model | None, dataset: Dataset, *, fresh: bool) -> None:
    """Try the arguments of what may follow: without a champion that is a retrain."""
    recipes = work.request.recipes
    rows = retrain.rows_of(dataset, recipes)
    ways = [(TrainingAction.RETRAIN, recipes.retrain_arguments, rows)]
    if not fresh and (rows := fine_tune.rows_of(dataset, recipes)):
        ways.append((TrainingAction.FINE_TUNE, recipes.fine_tune_arguments, rows))
    for action, given, learnt in ways:
        step = "retrain" if action is TrainingAction.RETRAIN else "fineTune"
        validation.try_arguments(f"training.{step}.arguments", given, learnt)
        if tiny is not None:
            work.task.try_arguments(tiny, action, given, len(learnt))


def _snapshot(
    work: Work, champion: Version | None, fair: Shares | None
) -> tuple[Snapshot, Dataset]:
    """A snapshot once taken stays: a second attempt of the same Job sees the same rows.

    ``fair`` is what was held out of the champion.
    """
    request = work.request
    known = champion.labels if champion else ()
    taken = work.store.stored_snapshot(request.run)
    if taken is not None:
        again = read_again(
            taken,
            request.data,
            work.places,
            work.source,
            request.run,
            known,
            progress=work.progress,
        )
        return taken, again
    snapshot, dataset = take_snapshot(
        request.data,
        work.places,
        work.source,
        known=champion.data if champion else frozenset(),
        champion_holdout=fair,
        before=_before(work, champion),
        champion_labels=known,
        tell=work.progress.say,
        progress=work.progress,
    )
    return work.store.write_snapshot(request.run, snapshot), dataset


def _before(work: Work, champion: Version | None) -> Before:
    """What the champion's training and earlier runs held out."""
    earlier = work.store.snapshot_before(work.request.run)
    files = earlier.kept if earlier else ()
    inputs = known_inputs(work.store, champion, earlier)
    if champion is None:
        return Before(files=files, inputs=inputs)
    return Before(champion.data, champion.past.own, champion.past.fair, files, inputs)


@dataclass(frozen=True, slots=True)
class _View:
    """Rows with what the champion makes of them."""

    rows: Sequence[Row]
    outputs: Outputs

    @property
    def x(self) -> Floats:
        return self.outputs.embeddings.astype(np.float64)

    def sample(self) -> Sample:
        """With classes; raises where there are none."""
        assert self.outputs.probabilities is not None  # noqa: S101  # its caller has asked
        return Sample(
            self.x,
            self.outputs.probabilities.astype(np.float64),
            np.array([row.label for row in self.rows], str),
            np.array(self.outputs.predicted, str),
            units_of(self.rows),
        )

    def numbers(self, measure: Yardstick) -> NumberSample:
        """Where answers are numbers."""
        labels = np.array([number_of(row) for row in self.rows], float)
        losses = measure.measured(self.outputs.loss)
        return NumberSample(
            self.x, losses, labels, measure.baseline, units_of(self.rows), self.outputs.onward
        )

    def hits(self) -> NumberSample:
        """Where answers are right or wrong, and their labels are no numbers."""
        labels = np.full(len(self.rows), np.nan)
        return NumberSample(self.x, self.outputs.loss, labels, units=units_of(self.rows))

    @property
    def answerable(self) -> Flags:
        """Which rows have an answer that the champion knows."""
        known = self.outputs.answerable
        return np.ones(len(self.rows), bool) if known is None else known


@dataclass(frozen=True, slots=True)
class _Views:
    """New rows (held-out ones first), old held-out rows, old rows that were trained on."""

    new: _View
    old: _View
    seen: _View


def _compare(
    work: Work,
    champion: Version,
    snapshot: Snapshot,
    dataset: Dataset,
    diagnosis: Diagnosis,
    remarks: list[str],
) -> Diagnosis:
    with work.timings.of("load"):
        model = work.task.load(champion.folder, champion.labels)
    remarks += work.task.check_rows(model, dataset)
    delivered = {row.stratum for row in (*dataset.new_train, *dataset.new_held_out)} - {""}
    told = (
        labels.recoded(delivered, champion.labels, dataset.spellings),
        deliveries.corrections(dataset),
    )
    remarks += filter(None, told)
    with work.timings.of("readRows"):
        most = work.request.max_rows
        new = [*dataset.new_held_out, *_few(_scored(dataset.new_train), most)]
        views = _Views(
            _view(work, model, new, "reading new rows"),
            _view(work, model, dataset.old_held_out, "reading old held-out rows"),
            _view(
                work,
                model,
                _few(_scored(dataset.old_train), most),
                "reading old training rows",
            ),
        )
    work.progress.stage("testing")
    metric, measure = work.request.metric, yardstick(work.request.metric, work.task, dataset)
    of_loss = yardstick(_loss_of(work), work.task, dataset)
    with work.timings.of("test"):
        findings = _findings(work, model, snapshot, dataset, (views, of_loss))
    of_old = views.old.outputs.by(metric)
    of_new = views.new.outputs.by(metric)[: len(dataset.new_held_out)]
    return replace(
        diagnosis,
        findings=findings,
        new=held_out(metric, measure, dataset.new_held_out, of_new, model.labels),
        old=held_out(metric, measure, dataset.old_held_out, of_old, model.labels),
        new_labels=feature_space.new_labels(
            [*dataset.new_train, *dataset.new_held_out], champion.labels
        ),
    )


def _introduce(
    work: Work, dataset: Dataset, diagnosis: Diagnosis, remarks: list[str]
) -> tuple[Diagnosis, Collection[str]]:
    """Score the model that is to become the first version; there is nothing to compare it with.

    Returns the labels that it answers with beside the diagnosis.
    """
    with work.timings.of("load"):
        model = work.task.from_initial(work.initial_model)
    remarks += work.task.check_rows(model, dataset)
    there = _strata(dataset)
    labels.refuse_doubled(dataset.spellings, there, model.labels, Given.INITIAL)
    if there and not there & set(model.labels):
        message = (
            f"model.initialModel: it answers {', '.join(model.labels)[:200]}, and no row is "
            f"labelled so, but {', '.join(sorted(there))[:200]}: write the labels of the data "
            "into id2label of its config.json, or name the model of these data."
        )
        raise ConfigurationError("InitialModelLabels", message)
    new, old = dataset.new_held_out, dataset.old_held_out
    with work.timings.of("readRows"):
        made = work.task.outputs(model, new + old, work.progress, "scoring the model, rows")
    metric, measure = work.request.metric, yardstick(work.request.metric, work.task, dataset)
    loss = made.by(metric)
    scored = replace(
        diagnosis,
        new=held_out(metric, measure, new, loss[: len(new)], model.labels),
        old=held_out(metric, measure, old, loss[len(new) :], model.labels),
        new_labels=tuple(sorted(there - set(model.labels))),
    )
    return scored, model.labels


def _findings(
    work: Work,
    model: Model,
    snapshot: Snapshot,
    dataset: Dataset,
    seen: tuple[_Views, Yardstick | None],
) -> tuple[Finding, ...]:
    """Raises DataError: LabelsConstant, LabelsRescaled, LabelsUnpredictable."""
    views, measure = seen
    columns = feature_space.changed_columns(snapshot.files)
    told = tuple(
        Evidence(name, len(names))
        for name, names in zip(
            (evidence_names.NEW_COLUMNS, evidence_names.LOST_COLUMNS), columns, strict=True
        )
        if names
    )
    if snapshot.sampling is Sampling.TARGETED:
        # Hard cases differ from what the model meets because they were chosen to.
        return examine.findings(examine.Measures(), told)
    space = _space(work, model, views)
    # What follows from columns that the champion does not read looks like chance to it.
    seen_whole = not any(_is_new_column(each) for each in space)
    if views.new.outputs.probabilities is not None:
        measured = _of_classes(model, dataset, views, check=seen_whole)
    elif measure is not None:
        measured = _of_numbers(dataset, views, measure, check=seen_whole)
    elif work.request.metric in HITS:
        measured = _of_hits(dataset, views)
    else:
        measured = examine.Measures()
    return examine.findings(replace(measured, space=space), told)


def _is_new_column(measure: Measure) -> bool:
    return measure.name.partition(":")[0] == evidence_names.NEW_COLUMN


def _of_classes(model: Model, dataset: Dataset, views: _Views, *, check: bool) -> examine.Measures:
    """Raises DataError: LabelsConstant, LabelsUnpredictable."""
    seen, old, new = (view.sample() for view in (views.seen, views.old, views.new))
    # A label that is new to the champion is a question of its own.
    known = np.isin(new.labels, model.labels)
    if check:
        quality.check(old, new.part(known))
    trained = {row.learnt_as for row in dataset.old_train}
    fresh = np.array([row.learnt_as not in trained for row in views.new.rows], bool)
    return examine.measure(seen, old, new.part(known), fresh[known], dataset.recurrence)


def _of_numbers(
    dataset: Dataset, views: _Views, measure: Yardstick, *, check: bool
) -> examine.Measures:
    """Raises DataError: LabelsConstant, LabelsRescaled, LabelsUnpredictable."""
    old, new = (view.numbers(measure) for view in (views.old, views.new))
    if check:
        quality_of_numbers.check(old, new)
    trained = {row.learnt_as for row in dataset.old_train}
    fresh = np.array([row.learnt_as not in trained for row in views.new.rows], bool)
    before = (*dataset.old_train, *dataset.old_held_out)
    again = Again.of(before, (*dataset.new_train, *dataset.new_held_out))
    return examine.measure_numbers(views.seen.x, old, new, fresh, again)


def _of_hits(dataset: Dataset, views: _Views) -> examine.Measures:
    """Where rows are right or wrong and have no classes: by their losses, as where these vary.

    An answer that is new to the champion is a question of its own.
    """
    old, new = views.old.hits(), views.new.hits()
    trained = {row.learnt_as for row in dataset.old_train}
    known = views.new.answerable
    fresh = np.array([row.learnt_as not in trained for row in views.new.rows], bool)[known]
    again = Again(np.zeros(0))
    old, new = old.part(views.old.answerable), new.part(known)
    return examine.measure_numbers(views.seen.x, old, new, fresh, again)


def _loss_of(work: Work) -> ScoreMetric:
    """The loss that tests of drift go by: what versions are judged by, or of their kind."""
    metric = work.request.metric
    return metric if metric in LOSSES else metrics_of(work.request.model.task)[0]


def _space(work: Work, model: Model, views: _Views) -> tuple[Measure, ...]:
    if len(views.new.rows) < at.LEAST_ROWS:
        return ()
    # Their form is seen alike, trained on or not: rows that were stand in where no others are.
    enough = len(views.old.rows) >= at.LEAST_ROWS
    old = views.old.rows if enough else (*views.old.rows, *views.seen.rows)
    if not old:
        return ()
    changes = work.task.input_changes(model, old, views.new.rows)
    return tuple(feature_space.measures(old, views.new.rows, model.labels, changes))


def _view(work: Work, model: Model, rows: Sequence[Row], stage: str) -> _View:
    return _View(rows, work.task.outputs(model, rows, work.progress, stage))


def _strata(dataset: Dataset) -> set[str]:
    return {row.stratum for row in dataset.rows} - {""}


def _scored(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.scored]


def _few(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many, drawn by the hash of the input, which nothing can favour."""
    return sorted(rows, key=lambda row: row.key[16:])[:most]
