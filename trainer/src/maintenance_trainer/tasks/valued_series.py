"""Files of time series whose continuation is to be told."""

from typing import Final

from maintenance_contract import Task
from maintenance_contract.kinds import ROLES
from maintenance_trainer.tasks.series.files import SeriesFiles


class ValuedSeries(SeriesFiles):
    """Windows with a continuation."""

    roles = ROLES[Task.TIME_SERIES_FORECASTING]


SOURCE: Final = ValuedSeries()
