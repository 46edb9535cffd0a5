"""How much data files may ask for, told before it is paid: a small file can become a large one."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from maintenance_trainer.errors import DataError

MOST_BYTES: Final = 6 * 2**30
"""Of rows in memory: a diagnosis has 8 GiB, and a model beside them."""
ROW_BYTES: Final = 900
"""What a row takes beside its text, on every list and table that it is on."""
MOST_NESTED: Final = 64
"""Objects and lists within each other; nobody writes more, and Python gives up at a thousand."""
BATCH_ROWS: Final = 4096
MOST_BATCH: Final = 2**30
"""Characters of a batch, which is chosen to have far fewer."""
_BATCH_BYTES: Final = 64 * 2**20


def too_large(where: str) -> DataError:
    """The data do not fit."""
    message = (
        f"{where}: the data are more than {MOST_BYTES // 2**30} GiB in memory from here "
        "on; keep fewer files in data.original and data.updates."
    )
    return DataError("DataTooLarge", message)


def parquet_batch(metadata: Any, wanted: Sequence[str], where: str) -> int:
    """How many rows of a Parquet file to read at once.

    Args:
        metadata: the file's; pyarrow ships no types.
        wanted: the columns that are read.
        where: the file, for messages.

    Raises:
        DataError: DataTooLarge, by what the file says of itself.
    """
    largest = 0
    total = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size = sum(
            column.total_uncompressed_size
            for column in map(group.column, range(group.num_columns))
            if column.path_in_schema.split(".", 1)[0] in wanted
        )
        total += size
        largest = max(largest, size // max(1, group.num_rows))
    if metadata.num_rows * ROW_BYTES + total > MOST_BYTES:
        message = (
            f"{where}: by its own account {metadata.num_rows:,} rows of {total:,} bytes, more than "
            f"the {MOST_BYTES // 2**30} GiB that there are for rows in memory; split the data, and "
            "keep fewer in data.original and data.updates."
        )
        raise DataError("DataTooLarge", message)
    return max(1, min(BATCH_ROWS, _BATCH_BYTES // max(1, largest)))


def refuse_large_batch(characters: int, where: str) -> None:
    """Refuse a batch that is far larger than the file says: texts that it repeats, unpacked.

    Raises:
        DataError: DataTooLarge.
    """
    if characters > MOST_BATCH:
        message = (
            f"{where}: {characters:,} characters and bytes, at most {MOST_BATCH:,} are read at "
            "once; is this a file of rows? Remove it, or mend what writes it."
        )
        raise DataError("DataTooLarge", message)


def nested_too_deep(document: object, most: int = MOST_NESTED) -> bool:
    """Whether a JSON document nests more than ``most`` objects and lists. Walks, never recurses."""
    level: list[object] = [document]
    for _ in range(most + 1):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return True


def _children(value: object) -> Iterable[object]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [child for child in inner if isinstance(child, dict | list)]
