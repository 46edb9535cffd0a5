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
