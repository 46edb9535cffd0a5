"""What is relied on of kopf that it does not promise: private modules, names of its tasks.

The one place to look when a new release of kopf breaks something; elsewhere these imports are
refused.
"""

import asyncio
import logging
from typing import Any, Final

import aiohttp
import kopf
from kopf._cogs.clients import watching as kopf_watching
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory
from typing_extensions import override

logger = logging.getLogger(__name__)

KOPF_WATCHER: Final = "watcher for "
"""How kopf names the tasks of its watches."""
PATIENCE_SECONDS: Final = 3


class OutOfReachError(aiohttp.ClientConnectionError):
    """What is asked for is forbidden for long: kopf takes that for a connection, and tries on."""


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Each of kopf's tries would be an error of the log; who raises this has told of it."""
    return OutOfReachError.__name__ not in record.getMessage()


kopf_watching.logger.addFilter(_is_worth_a_line)


async def insist() -> None:
    """Cancel again the watches of kopf's that were cancelled and go on.

    When one watch dies, kopf cancels the others, once, and waits for them without end. A
    cancellation that meets the very end of a request is lost there, and the process would live on,
    seeing nothing.
    """
    patience: dict[asyncio.Task[object], int] = {}
    while True:
        await asyncio.sleep(1.0)
        deaf = {
            task
            for task in asyncio.all_tasks()
            if task.get_name().startswith(KOPF_WATCHER) and task.cancelling()
        }
        patience = {task: patience.get(task, 0) + 1 for task in deaf}
        for task, seconds in patience.items():
            if seconds > PATIENCE_SECONDS:
                logger.warning("%s does not stop: cancelled again", task.get_name())
                task.cancel()


class NoMemories(ResourceMemories):
    """Keeps no memory of resources: only daemons and indices need it, at a kilobyte each."""

    @override
    async def recall(
        self,
        raw_body: kopf.RawBody,
        *,
        memobase: Any = None,
        noticed_by_listing: bool = False,
        ephemeral: bool = False,
    ) -> ResourceMemory:
        return await super().recall(
            raw_body, memobase=memobase, noticed_by_listing=noticed_by_listing, ephemeral=True
        )
