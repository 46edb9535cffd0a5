"""What can go wrong, sorted by who must act.

::

    OperatorError
    ├── SpecError          the resource's author: names the field and what to write instead
    ├── MetricsError       whoever runs Prometheus or wrote the query; the operator holds
    ├── Conflict           nobody: someone else wrote first, look again
    ├── Gone               nobody: the object is no longer there
    └── ClusterError       the API server refused or is away: try again later
"""

from maintenance_contract.plain import plain

MESSAGE_CHARACTERS = 2048
"""Of an error; a condition holds more, and an Event half of it."""
WORDS_CHARACTERS = 500
"""Of a server: they stand within a sentence on what was refused, and to whom it matters."""


class OperatorError(Exception):
    """Base of all errors that the operator expects.

    Most messages quote somebody: a server, a library, a resource's author. Whatever is said in one
    is fit for status, Events and the log.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(plain(message, MESSAGE_CHARACTERS))


class SpecError(OperatorError):
    """A resource that cannot be followed. ``str()`` is fit for a condition's message."""

    def __init__(self, field: str, problem: str, *, reason: str = "InvalidSpec") -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.reason = reason


class MetricsError(OperatorError):
    """No answer that could be used. ``reason`` is a member of ``reasons.MetricsReason``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Conflict(OperatorError):
    """A write lost against a newer version of the object, or the name is taken."""


class Gone(OperatorError):
    """The object does not exist (any more)."""


class ClusterError(OperatorError):
    """The API server refused or could not be reached.

    ``refused``: it answered, and the same request would be refused again (quota, policy).
    ``code`` is the HTTP status, 0 where there was no answer; ``words`` are the server's own,
    as fit for status as the message.
    """

    def __init__(
        self, message: str, *, refused: bool = False, code: int = 0, words: str = ""
    ) -> None:
        super().__init__(message)
        self.refused = refused
        self.code = code
        self.words = plain(words or message, WORDS_CHARACTERS)
