"""How many tokens questions and answers have, and what of them is trained on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from maintenance_contract import LEAST_ROWS
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
    def of(cls, rows: Iterable[Encoded]) -> "Lengths":
        """Of rows with as many tokens as are scored."""
        found = [
            (len(row.ids), len(row.ids) - (row.start if row.whole == 1.0 else 0), row.cut)
            for row in rows
        ]
        whole, answer, cut = zip(*found, strict=True) if found else ((), (), ())
        return cls(whole, answer, cut)

    def told(self, rows: Sequence[AnswerRow], most: int) -> tuple[str, ...]:
        """What is longer than what is trained on: sentences.

        Args:
            rows: n of them.
            most: tokens of a row that is trained on.
        """
        left = self._left(rows, most)
        ids = set(map(id, left))
        longer = zip(rows, self.whole, self.cut, strict=True)
        cut = [
            row for row, tokens, more in longer if (more or tokens > most) and id(row) not in ids
        ]
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

    def refuse_most(
        self, rows: Sequence[AnswerRow], judged: Sequence[AnswerRow], most: int
    ) -> None:
        """Refuse rows of whose answers most are longer: what learns short ones answers shortly.

        Args:
            rows: n of them.
            judged: those of them that count.
            most: tokens of a row that is trained on.

        Raises:
            ConfigurationError: ArgumentInvalid.
        """
        its = set(map(id, judged))
        lost = [row for row in self._left(rows, most) if id(row) in its]
        if len(judged) < LEAST_ROWS or 2 * len(lost) <= len(judged):
            return
        message = (
            f"training.*.arguments.max_length: {len(lost):,} of {len(judged):,} answers alone have "
            f"{most:,} tokens or more (the first: {lost[0].place}) and could not be trained on: "
            "raise max_length, take a base model that reads more, or deliver shorter answers."
        )
        raise ConfigurationError("ArgumentInvalid", message)

    def _left(self, rows: Sequence[AnswerRow], most: int) -> list[AnswerRow]:
        return [row for row, tokens in zip(rows, self.answer, strict=True) if tokens >= most]
