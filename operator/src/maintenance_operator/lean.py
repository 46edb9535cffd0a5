"""Imported before kopf: keeps the synchronous Kubernetes client out of the operator's process.

The operator speaks to the API server through ``kubernetes.aio`` alone. Importing that runs the
package's ``__init__``, which imports the synchronous client with requests, oauthlib and urllib3;
kopf looks for it, too, to know its types where it is installed. Together 8 MiB of memory and a
quarter of a second of each start, for nothing that is ever called.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Final

PACKAGE: Final = "kubernetes"
SYNCHRONOUS: Final = "kubernetes.client"


def without_synchronous_client() -> None:
    """Let ``kubernetes`` be a namespace of its parts, of which the synchronous client is none.

    Does nothing where it is imported already, or not installed.
    """
    if PACKAGE in sys.modules:
        return
    found = PathFinder.find_spec(PACKAGE)
    if found is None or found.submodule_search_locations is None:
        return
    package = ModuleType(PACKAGE)
    package.__spec__ = ModuleSpec(PACKAGE, None, is_package=True)
    package.__path__ = list(found.submodule_search_locations)
    sys.modules[PACKAGE] = package
    sys.modules[SYNCHRONOUS] = None  # type: ignore[assignment]  # an import of it fails, as asked


without_synchronous_client()
