"""How many tokens questions and answers have, and what of them is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.tasks.language.encoding import Encoded
from maintenance_trainer.tasks.language.rows import AnswerRow


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of n rows: ``whole`` of each, ``answer`` of its answer, as far as they are scored.

    ``cut``: of which of them even more were there.
    """

    whole: tuple[int, ...]
    answer: tuple[int, ...]
    cut: tuple[bool, ...]

    @classmethod
    def of(cls, rows: Sequence[Encoded]) -> "Lengths":
        """Of rows with as many tokens as are scored."""
        return cls(
            tuple(len(row.ids) for row in rows),
            tuple(len(row.ids) - (row.start if row.whole == 1.0 else 0) for row in rows),
            tuple(row.cut for row in rows),
        )

    def told(
        self, rows: Sequence[AnswerRow], judged: Sequence[AnswerRow], most: int
    ) -> tuple[str, ...]:
        """What is longer than what is trained on: sentences.

        Args:
            rows: n of them.
            judged: those of them of which most must be trained on.
            most: tokens of a row that is trained on.

        Raises:
            ConfigurationError: ArgumentInvalid, most of the answers are longer.
        """
        left = [row for row, tokens in zip(rows, self.answer, strict=True) if tokens >= most]
        ids = set(map(id, left))
        longer = zip(rows, self.whole, self.cut, strict=True)
        cut = [
            row for row, tokens, more in longer if (more or tokens > most) and id(row) not in ids
        ]
        _refuse_most(left, judged, most)
        told = []
        if cut:
            told.append(
                f"{len(cut):,} of {len(rows):,} rows are longer than the {most:,} tokens that are "
                f"trained on: the beginning of the question is cut ({cut[0].place})."
            )
        if left:
            told.append(
                f"{len(left):,} of {len(rows):,} answers alone are as long as that: they are not "
                f"trained on, and scored as far as the model reads ({left[0].place})."
            )
        return tuple(told)


def _refuse_most(left: Sequence[AnswerRow], judged: Sequence[AnswerRow], most: int) -> None:
    """A model that learns the short answers alone answers shortly."""
    its = set(map(id, judged))
    lost = [row for row in left if id(row) in its]
    if 2 * len(lost) > len(judged):
        message = (
            f"training.*.arguments.max_length: {len(lost):,} of {len(judged):,} answers alone have "
            f"{most:,} tokens or more (the first: {lost[0].place}) and could not be trained on: "
            "raise max_length, take a base model that reads more, or deliver shorter answers."
        )
        raise ConfigurationError("ArgumentInvalid", message)
