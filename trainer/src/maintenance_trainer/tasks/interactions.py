"""Files of interactions: a user, an item and a time a record."""

from pathlib import Path
from typing import Final

from maintenance_contract import ContractError, Task, Windows
from maintenance_contract.kinds import ROLES
from maintenance_trainer.data import reading
from maintenance_trainer.data.folders import Named
from maintenance_trainer.data.remarks import Remarks
from maintenance_trainer.data.sources import SourceFile
from maintenance_trainer.model_field import Given
from maintenance_trainer.tasks.huggingface import folder
from maintenance_trainer.tasks.items import stored
from maintenance_trainer.tasks.items.joining import join, tell
from maintenance_trainer.tasks.items.reader import InteractionReader
from maintenance_trainer.tasks.items.rows import ItemRow


class Interactions:
    """What users have chosen; a row is a user."""

    roles = ROLES[Task.NEXT_ITEM]
    suffixes = reading.SUFFIXES

    def check_model(self, uri: str, model: Path, given: Given) -> None:
        """A folder in Hugging Face's format, and the items that its tokens stand for."""
        if given is Given.BASE and not uri:
            return  # there is none: a retrain begins with nothing
        folder.check_model(uri, model, given)
        try:
            stored.read(model)
        except FileNotFoundError as error:
            raise given.missing(f"{uri} {error}") from None
        except (ContractError, ValueError, OSError) as error:
            raise given.unreadable(f"{uri}: {error}") from None

    def digest(self, path: Path, file: Named) -> str:
        """``sha256:…`` of its bytes."""
        return reading.sha256(path, file.where)

    def read(self, source: SourceFile) -> InteractionReader:
        """The users of a file."""
        return InteractionReader(source)

    def join(self, rows: list[ItemRow], windows: Windows | None, remarks: Remarks) -> list[ItemRow]:
        """Each user's rows with what the user did before."""
        del windows
        joined = join(rows)
        tell(joined, remarks)
        return joined


SOURCE: Final = Interactions()
