"""What a spec says of series: how rows are cut into windows, and which channels are forecast."""

from maintenance_contract import Columns, Task, Windows, windows_of
from maintenance_contract.codec import Fields
from maintenance_contract.kinds import MOST_INPUTS, ROLES, TARGETS
from maintenance_contract.windows import LIMITS
from maintenance_core.errors import SpecError


def windows(data: Fields, task: Task) -> Windows | None:
    """How rows become windows; None of kinds whose rows are none.

    Raises:
        SpecError: of ``data.windows``.
    """
    if not data.has("windows"):
        return windows_of(task)
    fields = data.fields("windows")
    given = {
        name: fields.integer(name, least=least, most=most)
        for name, (least, most) in LIMITS.items()
        if fields.has(name)
    }
    found = windows_of(task, **given)
    if found is None:
        raise SpecError(
            data.name("windows"), f"{task.value} has no windows, only time series have: remove it"
        )
    if task is Task.TIME_SERIES_FORECASTING and not found.horizon:
        raise SpecError(
            fields.name("horizon"), "a forecast is of one row at least: write 1 or more"
        )
    return found


def targets(columns: Fields, task: Task) -> tuple[str, ...]:
    """The channels that are forecast; empty: all inputs.

    Raises:
        SpecError: of ``data.columns.targets``.
    """
    if TARGETS not in ROLES[task] or not columns.has(TARGETS.name):
        return ()
    names = columns.strings(TARGETS.name, most=MOST_INPUTS)
    if not names or len(set(names)) < len(names) or not all(names):
        raise SpecError(
            columns.name(TARGETS.name),
            "name each channel that is forecast once, or leave it out to forecast all inputs",
        )
    return names


def targets_apart(fields: Fields, columns: Columns) -> None:
    """Refuse a target that has another role.

    Raises:
        SpecError: of that role.
    """
    for role, name in columns.names.items():
        if name in columns.targets:
            raise SpecError(
                fields.name(role), f"{name!r} is one of targets, too: give each column one role"
            )
