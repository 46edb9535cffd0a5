"""Train: one snapshot, one recipe, one version, one report. Top to bottom."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from maintenance_contract import (
    HITS,
    LOSSES,
    Candidate,
    Evaluation,
    Operation,
    Outcome,
    PairedLoss,
    Reference,
    ScoreMetric,
    Task,
    TrainingAction,
    TrainingReport,
    TrainingRequest,
)
from maintenance_contract.codec import Fields
from maintenance_trainer.data.rows import Row
from maintenance_trainer.data.snapshot import Snapshot, read_again
from maintenance_trainer.data.split import Dataset, refuse_too_little, told_unlearnable
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.evaluate import (
    Answers,
    always_the_most_frequent,
    at_class_mix,
    evaluation,
    evaluation_of_losses,
    majority_class,
    mase_beside,
    told_beside,
    yardstick,
)
from maintenance_trainer.model_field import Given
from maintenance_trainer.paired_losses import Yardstick
from maintenance_trainer.recipes import Trained, take_over
from maintenance_trainer.recipes.fine_tune import fine_tune
from maintenance_trainer.recipes.race import Judged, Raced, race
from maintenance_trainer.recipes.retrain import retrain
from maintenance_trainer.store import versions
from maintenance_trainer.store.provenance import Made, provenance, read_race, taken_over
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.units import fair_under
from maintenance_trainer.store.versions import Version
from maintenance_trainer.tasks import BesideBase
from maintenance_trainer.tasks.task import Fitted, Model
from maintenance_trainer.work import Work


def train(work: Work) -> TrainingReport:
    """Train what the request asks for and let it meet the champion.

    Raises:
        DataError: the snapshot leaves nothing to train on.
        ConfigurationError: snapshot, champion, base model or arguments are not as requested.
        OutOfMemoryError: of the GPU.
    """
    request, store = work.request, work.store
    done = _done_before(work)
    if done is not None:
        work.progress.say(f"run {request.run} was trained before; its report is emitted again")
        return done
    snapshot, dataset, champion = _inputs(work)
    if request.old_at_new_mix:
        dataset = _with_new_mix(dataset)
    model = work.task.load(champion.folder, champion.labels) if champion else None
    reference = _reference(work, model, dataset)
    measure = yardstick(request.metric, work.task, dataset)
    excluded = 0
    if request.exclude_contradicted and model is not None:
        dataset, excluded = _without_contradicted(work, model, dataset)
    run = _run(work, model, champion, dataset, (reference, measure))
    trained = run.trained
    if request.action is not TrainingAction.IMPORT:
        work.timings.add("train", run.seconds)
    work.progress.stage("writing the version")
    made = Made(
        trained.model.labels,
        trained.rows,
        excluded,
        run.scores[run.action],
        work.timings.seconds,
        run.action,
        trained.fitted.steps,
        run.scores if request.race else {},
        run.beside,
    )
    if request.action is TrainingAction.IMPORT:
        source = work.initial_model
        save = partial(take_over.copy, source, work.task.files(trained.model))
        if isinstance(work.task, BesideBase) and work.task.is_part(source):
            save = partial(work.task.save, trained.model)
        its_provenance = taken_over(request, snapshot, made, source)
    else:
        save = partial(work.task.save, trained.model)
        parent = champion and _seen_under(work, champion)
        its_provenance = provenance(request, snapshot, parent, made, work.base_model)
    prove = work.task.proof(trained.model)
    version = versions.write(store, save, its_provenance, prove)
    report = _report(request, store, version)
    work.keep(report)
    return report


def _seen_under(work: Work, champion: Version) -> Version:
    """The champion, and what was held out of it by the columns of today."""
    fair, _ = fair_under(work.store, champion, work.request.data)
    return replace(champion, past=replace(champion.past, fair=fair))


def _done_before(work: Work) -> TrainingReport | None:
    request, store = work.request, work.store
    report = store.stored_report(Operation.TRAIN, request.run)
    if (
        report is not None
        and report.request_digest == request.digest
        and report.outcome is Outcome.SUCCEEDED
    ):
        return report
    version = versions.trained_by(store, request.digest)
    if version is None:
        return None
    report = _report(request, store, version)
    work.keep(report)
    return report


def _inputs(work: Work) -> tuple[Snapshot, Dataset, Version | None]:
    request, action = work.request, _action(work.request)
    if request.snapshot is None:
        message = "request.snapshot: Train needs the snapshot that a diagnosis took."
        raise ConfigurationError("SnapshotMissing", message)
    if request.champion is None and action is TrainingAction.FINE_TUNE:
        message = "request: FineTune needs a champion to start from; the first run is a Retrain."
        raise ConfigurationError("ChampionMissing", message)
    _check(work, action)
    work.progress.stage("reading data")
    with work.timings.of("read"):
        snapshot = work.store.read_snapshot(request.snapshot)
        champion = work.champion()
        known = champion.labels if champion else ()
        run = request.snapshot.run
        dataset = read_again(
            snapshot,
            request.data,
            work.places,
            work.source,
            run,
            known,
            progress=work.progress,
        )
    if champion is not None:
        versions.refuse_full(work.store, champion.folder)
    refuse_too_little(dataset, request.action, fresh=champion is None)
    if unlearnable := told_unlearnable(dataset, known):
        work.progress.say(unlearnable)
    return snapshot, dataset, champion


def _check(work: Work, action: TrainingAction) -> None:
    """What the diagnosis has looked at, again: time has passed, and the GPU is here."""
    model, recipes = work.request.model, work.request.recipes
    match action:
        case TrainingAction.FINE_TUNE:
            work.task.check_arguments(action, recipes.fine_tune_arguments)
            if work.request.race:
                _check(work, TrainingAction.RETRAIN)
        case TrainingAction.RETRAIN:
            work.task.check_arguments(action, recipes.retrain_arguments)
            work.source.check_model(model.base_model, work.base_model, Given.BASE)
            versions.refuse_full(work.store, work.base_model)
        case TrainingAction.IMPORT:
            if work.request.champion is not None or not model.initial_model:
                message = "request: Import needs an initial model, and no champion."
                raise ConfigurationError("InitialModelMissing", message)
            work.source.check_model(model.initial_model, work.initial_model, Given.INITIAL)
            versions.refuse_full(work.store, work.initial_model)


def _with_new_mix(dataset: Dataset) -> Dataset:
    """Whoever adapts to new class shares loses on the old ones, and they are gone."""
    mix = dataset.new_train + dataset.new_held_out
    return replace(dataset, old_held_out=at_class_mix(dataset.old_held_out, mix))


def _reference(work: Work, model: Model | None, dataset: Dataset) -> Answers:
    """Of the champion, or of what needs no model, on the held-out rows, new ones first."""
    rows = dataset.new_held_out + dataset.old_held_out
    if model is None:
        known = dataset.old_train + dataset.new_train
        if work.request.metric in LOSSES or work.request.metric in HITS:
            return Answers(work.task.baseline(known, rows))
        if work.request.metric is ScoreMetric.EXACT_MATCH:
            return Answers(always_the_most_frequent(known, rows))
        return Answers(work.task.baseline(known, rows), (majority_class(known),) * len(rows))
    with work.timings.of("scoreChampion"):
        return _answers(work, model, rows, "scoring the champion, rows")


def _answers(work: Work, model: Model, rows: Sequence[Row], stage: str) -> Answers:
    made = work.task.outputs(model, rows, work.progress, stage)
    loss = made.by(work.request.metric)
    return Answers(loss, made.predicted, made.probabilities, model.labels, made.beside)


def _without_contradicted(work: Work, model: Model, dataset: Dataset) -> tuple[Dataset, int]:
    # Its libraries take seconds, and most trainings need none.
    from maintenance_trainer.recipes.contradicted import contradicted  # noqa: PLC0415

    old, new = dataset.old_train, dataset.new_train
    with work.timings.of("contradicted"):
        embeddings = work.task.outputs(
            model, old + new, work.progress, "looking for contradicted rows"
        ).embeddings
        flags = contradicted(old, new, embeddings[: len(old)], embeddings[len(old) :])
    excluded = int(flags.sum())
    work.progress.say(f"{excluded} of {len(old)} old rows contradict new labels and are left out")
    kept = tuple(row for row, flag in zip(old, flags, strict=True) if not flag)
    return replace(dataset, old_train=kept), excluded


def _run(
    work: Work,
    model: Model | None,
    champion: Version | None,
    dataset: Dataset,
    against: tuple[Answers, Yardstick | None],
) -> Raced:
    """Train what is asked for, or both ways; score it."""
    action = _action(work.request)
    other = (
        TrainingAction.RETRAIN if action is TrainingAction.FINE_TUNE else TrainingAction.FINE_TUNE
    )
    races = work.request.race and model is not None and champion is not None
    ways = (action, other) if races else (action,)
    if races:
        work.progress.say(f"{' and '.join(ways)} race; the better one meets the champion")
    return race(
        {way: partial(_run_recipe, work, way, model, champion, dataset) for way in ways},
        lambda challenger: _evaluate(work, challenger, dataset, *against),
    )


def _run_recipe(
    work: Work,
    action: TrainingAction,
    model: Model | None,
    champion: Version | None,
    dataset: Dataset,
) -> Trained:
    task, recipes, progress = work.task, work.request.recipes, work.progress
    if action is TrainingAction.IMPORT:
        return Trained(task.from_initial(work.initial_model), {"new": 0, "old": 0}, Fitted())
    with tempfile.TemporaryDirectory(prefix="training-") as name:
        scratch = Path(name)
        if action is TrainingAction.RETRAIN or model is None or champion is None:
            base = work.base_model
            return retrain(task, base, dataset, recipes, scratch=scratch, progress=progress)
        start = champion.folder
        return fine_tune(task, model, start, dataset, recipes, scratch=scratch, progress=progress)


def _evaluate(
    work: Work,
    challenger: Model,
    dataset: Dataset,
    reference: Answers,
    measure: Yardstick | None,
) -> Judged:
    held_out = dataset.new_held_out, dataset.old_held_out
    metric = work.request.metric
    with work.timings.of("scoreChallenger"):
        answers = _answers(
            work, challenger, held_out[0] + held_out[1], "scoring the challenger, rows"
        )
    if metric in LOSSES:
        against = Reference.CHAMPION if work.request.champion else Reference.BASELINE
        losses = reference.loss, answers.loss
        judged = evaluation_of_losses(measure, against, held_out, *losses, metric)
        forecast = work.request.model.task is Task.TIME_SERIES_FORECASTING
        return Judged(judged, mase_beside(judged) if forecast else {})
    without = Reference.BASELINE if metric in HITS else Reference.MAJORITY_CLASS
    against = Reference.CHAMPION if work.request.champion else without
    judged = evaluation(metric, against, held_out, reference, answers)
    return Judged(judged, told_beside(held_out, reference, answers))


def _action(request: TrainingRequest) -> TrainingAction:
    if request.action is None:
        message = "request.action: Import, FineTune or Retrain is expected."
        raise ConfigurationError("ArgumentInvalid", message)
    return request.action


def _report(request: TrainingRequest, store: Store, version: Version) -> TrainingReport:
    """The report follows from the manifest alone, so that it can be written again."""
    manifest = Fields(version.provenance)
    excluded = manifest.integer("excludedContradicted")
    said = _told_of_race(read_race(manifest))
    said += _told_beside(manifest.raw("beside"))
    if request.exclude_contradicted:
        said += f" {excluded} old rows that new labels contradict were left out."
    return TrainingReport(
        operation=Operation.TRAIN,
        run=request.run,
        request_digest=request.digest,
        outcome=Outcome.SUCCEEDED,
        message=said.strip(),
        snapshot_digest=request.snapshot.digest if request.snapshot else "",
        store=store.state(),
        candidate=Candidate(
            version.number, version.digest, manifest.one_of("action", TrainingAction)
        ),
        evaluation=Evaluation.read(manifest.fields("evaluation")),
        timings={name: float(value) for name, value in manifest.raw("timings").items()},
    )


def _told_of_race(scores: Mapping[TrainingAction, Evaluation]) -> str:
    """What both ways scored on new held-out rows; empty where nothing raced."""
    losses = {action: _loss(each) for action, each in scores.items()}
    if any(losses.values()):
        each_way = [
            f"{action.value} has a {its.metric.value} of {its.challenger:.4g}"
            for action, its in losses.items()
            if its
        ]
        n = next(its.n for its in losses.values() if its)
        return f"On {n} held-out rows {' and '.join(each_way)}."
    told = [
        f"{action.value} gets {counts.both_correct + counts.challenger_only} right"
        for action, each in scores.items()
        if (counts := each.new or each.old) is not None
    ]
    n = next((c.n for each in scores.values() if (c := each.new or each.old) is not None), 0)
    return f"Of {n} held-out rows {' and '.join(told)}." if told else ""


def _told_beside(beside: Mapping[str, Any]) -> str:
    """What a manifest says of scores that judge nothing; empty where there are none."""
    return "".join(
        f" {name} on {age} held-out rows: {of[0]:.3f}"
        f"{f', of the champion {of[1]:.3f}' if len(of) > 1 else ''}."
        for age, its in beside.items()
        for name, of in its.items()
    )


def _loss(evaluation: Evaluation) -> PairedLoss | None:
    scores = evaluation.scores
    found = scores and (scores.new or scores.old)
    return found if isinstance(found, PairedLoss) else None
