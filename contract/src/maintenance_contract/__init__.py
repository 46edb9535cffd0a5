"""What the operator and the trainer say to each other: one request in, one report back.

The request travels inside the Job (an annotation of its pod template, mounted by the downward
API); the report returns in the container's termination message and, whole, in the store.
Standard library only: both images carry this package.
"""

from maintenance_contract.errors import ContractError
from maintenance_contract.holdout import (
    AUTO,
    Holdout,
    held_out_rows,
    more_held_out,
    rows_to_hold_out,
)
from maintenance_contract.kinds import Columns, Role, Task, columns_of
from maintenance_contract.report import (
    LEAST_ROWS,
    Answer,
    Candidate,
    Diagnosis,
    Evaluation,
    Evidence,
    Finding,
    HeldOut,
    LeftOut,
    LeftOutFile,
    Outcome,
    PairedCounts,
    Question,
    Reference,
    RowCounts,
    StoreState,
    TrainingReport,
)
from maintenance_contract.request import (
    DEFAULT_MAX_ROWS,
    DEFAULT_TRAIN_BATCH,
    ChampionRef,
    DataRef,
    ModelRef,
    Operation,
    Recipes,
    ResourceRef,
    Sampling,
    Snapshot,
    TrainingAction,
    TrainingRequest,
)
from maintenance_contract.scores import PairedScore, PairedScores, ScoreMetric
from maintenance_contract.storage import StorageUri

__all__ = [
    "AUTO",
    "DEFAULT_MAX_ROWS",
    "DEFAULT_TRAIN_BATCH",
    "LEAST_ROWS",
    "Answer",
    "Candidate",
    "ChampionRef",
    "Columns",
    "ContractError",
    "DataRef",
    "Diagnosis",
    "Evaluation",
    "Evidence",
    "Finding",
    "HeldOut",
    "Holdout",
    "LeftOut",
    "LeftOutFile",
    "ModelRef",
    "Operation",
    "Outcome",
    "PairedCounts",
    "PairedScore",
    "PairedScores",
    "Question",
    "Recipes",
    "Reference",
    "ResourceRef",
    "Role",
    "RowCounts",
    "Sampling",
    "ScoreMetric",
    "Snapshot",
    "StorageUri",
    "StoreState",
    "Task",
    "TrainingAction",
    "TrainingReport",
    "TrainingRequest",
    "columns_of",
    "held_out_rows",
    "more_held_out",
    "rows_to_hold_out",
]
