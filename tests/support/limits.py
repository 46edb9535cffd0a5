"""How long a test may take: pytest-timeout's limits, in seconds of a quiet machine."""

import signal
from types import FrameType

import pytest
import pytest_timeout

from support.pace import Allowance

LOOK_SECONDS = 10.0


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: pytest_timeout.Settings) -> bool:
    """A test's limit is in seconds of a quiet machine, so that work beside the tests fails none."""
    allowance = Allowance(settings.timeout)

    def look(_number: int, _frame: FrameType | None) -> None:
        if allowance.used_up():
            pytest_timeout.timeout_sigalrm(item, settings)
        signal.setitimer(signal.ITIMER_REAL, max(0.1, min(allowance.left(), LOOK_SECONDS)))

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.cancel_timeout = cancel  # type: ignore[attr-defined]  # pytest-timeout's own place for it
    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, min(settings.timeout, LOOK_SECONDS))
    return True
