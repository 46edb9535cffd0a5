"""Files of tables whose rows have a class each."""

from typing import Final

from maintenance_contract import Task
from maintenance_contract.kinds import ROLES
from maintenance_trainer.tasks.tables.files import Tables


class LabelledTables(Tables):
    """Rows with a class."""

    roles = ROLES[Task.TABULAR_CLASSIFICATION]


SOURCE: Final = LabelledTables()
