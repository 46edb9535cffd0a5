"""The two models that a resource names, and the words for what is wrong with either."""

from enum import StrEnum

from maintenance_trainer.errors import ConfigurationError


class Given(StrEnum):
    """The field that names a model: where a retrain starts, or what becomes the first version."""

    BASE = "model.baseModel"
    INITIAL = "model.initialModel"

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
        return ConfigurationError("InitialModelUnreadable", message)
