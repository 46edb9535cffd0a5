"""Which proxy leads to a server, as kubectl and every Go program reads the environment.

Python's own reading knows no networks in NO_PROXY, and an API server is mostly named by its
address. Semantics: https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
"""

import ipaddress
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

PORTS: Final = {"http": 80, "https": 443}
VARIABLES: Final = {
    "http": ("HTTP_PROXY", "http_proxy"),
    "https": ("HTTPS_PROXY", "https_proxy"),
}
"""By the scheme of the server; the first that is set holds."""
NO_PROXY: Final = ("NO_PROXY", "no_proxy")
_DIRECT_HOST: Final = "localhost"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_for(server: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The proxy to a server's address, None for the direct way.

    ``server``: http or https; an address that is neither has no proxy.
    """
    parts = urlsplit(server)
    variable = variable_for(server, environment)
    if variable is None or not parts.hostname or _is_direct(parts, environment):
        return None
    proxy = environment[variable].strip()
    return proxy if "://" in proxy else f"http://{proxy}"


def variable_for(server: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The variable of the environment that names a proxy for servers of this scheme."""
    names = VARIABLES.get(urlsplit(server).scheme, ())
    return next((name for name in names if environment.get(name, "").strip()), None)


def _is_direct(parts: SplitResult, environment: Mapping[str, str]) -> bool:
    host = (parts.hostname or "").rstrip(".").lower()
    address = _address(host)
    if host == _DIRECT_HOST or (address is not None and address.is_loopback):
        return True
    port = parts.port or PORTS[parts.scheme]
    listed = next((environment[name] for name in NO_PROXY if environment.get(name)), "")
    entries = (entry.strip().lower() for entry in listed.split(","))
    return any(_covers(entry, host, address, port) for entry in entries if entry)


def _covers(entry: str, host: str, address: _Address | None, port: int) -> bool:
    """Whether an entry of NO_PROXY is about a host: a network, an address, a domain or all."""
    if entry == "*":
        return True
    network = _network(entry)
    if network is not None:
        return address is not None and address.version == network.version and address in network
    name, wanted = _split(entry)
    if wanted not in {None, port} or not name:
        return False
    own = _address(name)
    if own is not None or address is not None:
        return own is not None and own == address
    domain = name.removeprefix("*").removeprefix(".").rstrip(".")
    whole = name == domain and host == domain
    return whole or name.rstrip(".") == host or host.endswith(f".{domain}")


def _split(entry: str) -> tuple[str, int | None]:
    """Name and port; an IPv6 address may stand in brackets, and must where a port follows."""
    if _address(entry) is not None:
        return entry, None
    name, colon, port = entry.rpartition(":")
    if not colon or entry.endswith("]"):
        return entry.strip("[]"), None
    return name.strip("[]"), int(port) if port.isascii() and port.isdecimal() else -1


def _address(text: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "/" not in entry:
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
