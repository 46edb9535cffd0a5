"""Imported before kopf: keeps the unused parts of the Kubernetes client out of the process.

The operator speaks to the API server through ``kubernetes.aio.client`` alone. Importing that runs
the ``__init__`` of both packages above it, which import the synchronous client with requests,
oauthlib and urllib3, and the dynamic client, leader election and streams; kopf looks for the first,
too, to know its types where it is installed. Together 10 MiB of memory and a third of a second of
each start.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final

PACKAGES: Final = ("kubernetes", "kubernetes.aio")
SYNCHRONOUS: Final = "kubernetes.client"


def without_what_nobody_calls() -> None:
    """Let both packages be namespaces of their parts; the synchronous client is no part.

    Does nothing where they are imported already, or not installed.
    """
    if PACKAGES[0] in sys.modules:
        return
    path = None
    for name in PACKAGES:
        found = PathFinder.find_spec(name, path)
        if found is None or found.submodule_search_locations is None:
            return
        path = list(found.submodule_search_locations)
        package = ModuleType(name)
        package.__spec__ = ModuleSpec(name, None, is_package=True)
        package.__path__ = path
        sys.modules[name] = package
    sys.modules[SYNCHRONOUS] = None  # type: ignore[assignment]  # an import of it fails, as asked


without_what_nobody_calls()
