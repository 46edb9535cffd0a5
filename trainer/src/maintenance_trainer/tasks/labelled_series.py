"""Files of time series some of whose rows have a class."""

from typing import Final

from maintenance_contract import Task
from maintenance_contract.kinds import ROLES
from maintenance_trainer.tasks.series.files import SeriesFiles


class LabelledSeries(SeriesFiles):
    """Windows with a class."""

    roles = ROLES[Task.TIME_SERIES_CLASSIFICATION]


SOURCE: Final = LabelledSeries()
