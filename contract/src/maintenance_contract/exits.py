"""Exit codes of the trainer; the Job's ``podFailurePolicy`` reads them.

The numbers are those of BSD ``sysexits.h``, so that a person meets old acquaintances.
"""

from typing import Final

OK: Final = 0
DATA_ERROR: Final = 65
"""The data are missing, torn or of the wrong shape: a retry would fail alike."""
CONFIGURATION_ERROR: Final = 78
"""The request, the arguments, the base model or the store are wrong: a retry would fail alike.

So it does where an error that nobody foresaw has come twice."""
INTERRUPTED: Final = 75
"""SIGTERM arrived (preemption, drain): try again, nothing is wrong with the run."""
TIME_OVER: Final = 124
"""The work took longer than it may, as the command ``timeout`` says it: it would again."""
OUT_OF_MEMORY: Final = 137
"""Memory ran out: the kernel ends a process so (128 + SIGKILL), the trainer says it of a GPU."""

DO_NOT_RETRY: Final = (DATA_ERROR, CONFIGURATION_ERROR)
"""The same request would fail alike, and so would any with these data or this configuration."""
FAIL_THE_JOB: Final = (*DO_NOT_RETRY, TIME_OVER, OUT_OF_MEMORY)
"""The Job itself does not try again; what is too large for memory is asked for anew, in halves."""

TIMEOUT_VARIABLE: Final = "MAINTENANCE_TIMEOUT_SECONDS"
"""In the trainer's environment: how long it may work. The operator ends what does not heed it."""
