"""The models that an operation works on, and the words for what is wrong with one."""

from enum import StrEnum

from maintenance_trainer.errors import ConfigurationError


class Given(StrEnum):
    """Where a retrain starts, what becomes the first version, and the version in service.

    The first two are fields of the resource.
    """

    BASE = "model.baseModel"
    INITIAL = "model.initialModel"
    CHAMPION = "the champion"

    def missing(self, problem: str) -> ConfigurationError:
        """It is not where the field says; ``problem`` begins with the place."""
        message = f"{self}: {problem}"
        if self is Given.BASE:
            return ConfigurationError("BaseModelMissing", message)
        return ConfigurationError("InitialModelMissing", message)

    def unreadable(self, problem: str) -> ConfigurationError:
        """It is there, and cannot be used."""
        message = f"{self}: {problem}"
        if self is Given.BASE:
            return ConfigurationError("BaseModelUnreadable", message)
        if self is Given.INITIAL:
            return ConfigurationError("InitialModelUnreadable", message)
        return ConfigurationError("ChampionUnreadable", message)


def no_copy(given: Given | None, problem: str, mend: str = "") -> ConfigurationError:
    """The folder that was written does not hold the model; ``given``: where it was copied from.

    ``mend``: what to do about a model that is copied, with what joins it to the problem.
    """
    if given is not None:
        return given.unreadable(f"what is copied of it cannot be read ({problem}){mend}.")
    message = f"model.storage: the version that was written cannot be read back ({problem})."
    return ConfigurationError("StoreUnwritable", message)
