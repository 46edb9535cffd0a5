"""What every stage of an operation needs at hand."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from maintenance_contract import TrainingReport, TrainingRequest
from maintenance_contract.kinds import BASE_OPTIONAL, FROM_SCRATCH
from maintenance_trainer import tasks
from maintenance_trainer.data.sources import AnySource
from maintenance_trainer.errors import ConfigurationError, TrainerError
from maintenance_trainer.locations import Places
from maintenance_trainer.model_field import Given
from maintenance_trainer.progress import Progress
from maintenance_trainer.store import versions
from maintenance_trainer.store.store import Store
from maintenance_trainer.store.versions import Version
from maintenance_trainer.timing import Timings

if TYPE_CHECKING:
    from maintenance_trainer.tasks.task import AnyTask


@dataclass(frozen=True, slots=True)
class Work:
    """One operation: what is asked, where it works, whom it tells, how long it takes."""

    request: TrainingRequest
    store: Store
    places: Places
    progress: Progress
    timings: Timings = field(default_factory=Timings)

    def keep(self, report: TrainingReport) -> None:
        """Leave the report in the store; where that fails, what was done is done all the same."""
        try:
            self.store.write_report(report)
        except (OSError, TrainerError) as error:
            self.progress.say(f"the report is not kept in the store: {error}")

    @property
    def task(self) -> "AnyTask":
        """The kind of model; imported when it is first asked for.

        Raises:
            ConfigurationError: TaskUnknown.
        """
        task = tasks.find(self.request.model.task, self.request.metric)
        if isinstance(task, tasks.BesideBase):
            return task.beside(lambda: self.base_model, self.request.recipes)
        return task

    @property
    def source(self) -> AnySource:
        """How its rows are read."""
        return tasks.source(self.request.model.task)

    def champion(self) -> Version | None:
        """The version in service, every byte of it checked; None where there is none.

        Raises:
            ConfigurationError: ChampionMissing, ChampionChanged; ChampionOfOtherTask.
        """
        if self.request.champion is None:
            return None
        version, task = versions.champion(self.store, self.request.champion), self.task.name
        if version.task != task:
            message = (
                f"model.task: version {version.number}, which is in service, is a {version.task} "
                f"and {task} is asked for: write task: {version.task}, or name another folder in "
                "model.storage for a model of the other kind."
            )
            raise ConfigurationError("ChampionOfOtherTask", message)
        return version

    @property
    def base_model(self) -> Path:
        """Where a retrain starts; an empty folder where it begins with nothing."""
        model = self.request.model
        optional = model.task in BASE_OPTIONAL and not model.base_model
        if model.task in FROM_SCRATCH or optional:
            return self.places.scratch()
        if not model.base_model:
            raise Given.BASE.missing(f"{model.task} starts from one; name it.")
        return self.places.model(model.base_model, model.base_model_secret, model.revision)

    @property
    def initial_model(self) -> Path:
        """What becomes the first version, where the request names it."""
        model = self.request.model
        return self.places.model(
            model.initial_model, model.initial_model_secret, model.initial_revision, Given.INITIAL
        )
