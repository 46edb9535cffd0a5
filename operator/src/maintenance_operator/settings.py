"""The operator's configuration: a YAML file, overridden by the environment and the command line.

::

    prometheusServers:
      default: {url: "http://prometheus.monitoring:9090"}
      tenants:
        url: https://mimir.example/prometheus
        headers: {X-Scope-OrgID: ml}
        bearerTokenFile: /etc/auth/token   # or basicAuth: {username: ml, passwordFile: ...}
        tls: {caFile: ..., certFile: ..., keyFile: ..., serverName: ...}
        namespaces: [finance]              # who may ask; left out: all
        enforcedMatchers: {namespace: "{{ namespace }}"}   # each selector of a query must carry it
    trainer:
      image: model-maintenance/trainer:0.1.0
      imagePullPolicy: IfNotPresent
      scratchSize: 32Gi        # of a pod's /tmp, unless its resources limit ephemeral-storage
      allow:                   # what resources may choose of their pods beyond the built-in list
        env: [WANDB_*]
        serviceAccounts: [finance/news-trainer]   # <namespace>/<name>, or a name for all namespaces
        priorityClasses: [system-cluster-critical]                # none begins with system- else
        tolerations: [node-role.kubernetes.io/infra]              # keys of Kubernetes' own taints
    watchNamespaces: []        # none: all
    guard: {maxBreachingPercent: 25}   # more at once: what is measured is at fault
    http: {port: 8080}
    log: {level: info, format: json}

``MM_TRAINER_IMAGE``, ``MM_LOG_LEVEL``, ``MM_LOG_FORMAT`` and ``MM_HTTP_PORT`` override the file.
"""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from maintenance_contract.plain import address, plain
from maintenance_core.allowed import NOTHING_MORE, OURS, OURS_IN_WORDS, Allowed
from maintenance_core.lifecycle.jobs import SCRATCH
from maintenance_core.model import Server
from maintenance_core.quantities import spelled
from maintenance_core.watch.common_cause import MOST_PERCENT

DEFAULT_CONFIG: Final = Path("/etc/model-maintenance/config.yaml")
PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
LOG_FORMATS: Final = ("json", "text")

_KNOWN: Final = ("prometheusServers", "trainer", "watchNamespaces", "guard", "http", "log")
_URL_HINT: Final = "Prometheus' address, like http://prometheus.monitoring:9090"
_IMAGE_HINT: Final = "the trainer's image, like model-maintenance/trainer:0.1.0"
_FILE_HINT: Final = "the whole path of a mounted file, like /etc/prometheus-auth/token"
_SERVER: Final = (
    "url",
    "headers",
    "bearerTokenFile",
    "basicAuth",
    "tls",
    "namespaces",
    "enforcedMatchers",
)
_TRAINER: Final = ("image", "imagePullPolicy", "allow", "scratchSize")
_ALLOW: Final = ("env", "serviceAccounts", "priorityClasses", "tolerations")
_ALLOWED: Final = re.compile(r"[A-Za-z0-9_./*?-]{1,317}")
_BASIC: Final = ("username", "passwordFile")
_TLS: Final = ("caFile", "certFile", "keyFile", "serverName")
_BARE = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]+")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_HIGHEST_PORT: Final = 65535
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class ConfigurationError(Exception):
    """The configuration cannot be used; says which field, what is wrong and what to write.

    What stands there is shown as far as it can be no secret.
    """

    def __init__(self, message: str) -> None:
        super().__init__(plain(message, 2048))


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration, read and checked. ``prometheus_servers``: by name."""

    prometheus_servers: Mapping[str, Server]
    trainer_image: str
    trainer_pull_policy: str = "IfNotPresent"
    watch_namespaces: tuple[str, ...] = ()
    most_breaching_percent: float = MOST_PERCENT
    http_port: int = 8080
    log_level: str = "info"
    log_format: str = "json"
    allowed: Allowed = NOTHING_MORE
    scratch: str = SCRATCH


def load(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read a configuration file.

    Raises:
        ConfigurationError: no such file, no YAML, or a field that cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}; name the file with --config") from None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: no YAML: {_yaml_problem(error)}") from None
    try:
        return read({} if document is None else document, environment)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def read(document: object, environment: Mapping[str, str]) -> Settings:
    """Read a configuration document.

    Raises:
        ConfigurationError: naming the field.
    """
    root = _mapping(document, "", _KNOWN)
    trainer = _mapping(root.get("trainer", {}), "trainer", _TRAINER)
    http = _mapping(root.get("http", {}), "http", {"port"})
    guard = _mapping(root.get("guard", {}), "guard", {"maxBreachingPercent"})
    log = _mapping(root.get("log", {}), "log", {"level", "format"})
    return Settings(
        prometheus_servers=read_servers(root.get("prometheusServers", {})),
        trainer_image=_text(
            environment.get("MM_TRAINER_IMAGE") or trainer.get("image"),
            "trainer.image",
            _IMAGE_HINT,
        ),
        trainer_pull_policy=_one_of(
            trainer.get("imagePullPolicy", "IfNotPresent"), "trainer.imagePullPolicy", PULL_POLICIES
        ),
        watch_namespaces=_namespaces(root.get("watchNamespaces", [])),
        most_breaching_percent=_percent(
            guard.get("maxBreachingPercent", MOST_PERCENT), "guard.maxBreachingPercent"
        ),
        http_port=_port(environment.get("MM_HTTP_PORT") or http.get("port", 8080)),
        log_level=_one_of(
            environment.get("MM_LOG_LEVEL") or log.get("level", "info"), "log.level", LOG_LEVELS
        ),
        log_format=_one_of(
            environment.get("MM_LOG_FORMAT") or log.get("format", "json"), "log.format", LOG_FORMATS
        ),
        allowed=read_allowed(trainer.get("allow", {})),
        scratch=_size(trainer.get("scratchSize", SCRATCH), "trainer.scratchSize"),
    )


def read_allowed(value: object) -> Allowed:
    """``trainer.allow`` of a configuration.

    Raises:
        ConfigurationError: naming the field.
    """
    entry = _mapping(value, "trainer.allow", _ALLOW)
    names = {key: _patterns(entry.get(key, []), f"trainer.allow.{key}") for key in _ALLOW}
    for name in names["env"]:
        if OURS.match(name):
            raise ConfigurationError(
                f"trainer.allow.env: {name} is the trainer's own: names {OURS_IN_WORDS} are refused"
            )
    return Allowed(
        names["env"], names["serviceAccounts"], names["priorityClasses"], names["tolerations"]
    )


def _patterns(value: object, field: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigurationError(f"{field}: a list of names is expected, not {value!r}")
    for name in value:
        if not isinstance(name, str) or _ALLOWED.fullmatch(name) is None:
            raise ConfigurationError(
                f"{field}: {name!r} cannot be used: write a name; * stands for anything"
            )
    return tuple(value)


def _size(value: object, field: str) -> str:
    try:
        return spelled(value)
    except ValueError as error:
        raise ConfigurationError(f"{field}: {error}") from None


def check_namespaces(names: Collection[object], field: str) -> tuple[str, ...]:
    """Names of namespaces, each once.

    Raises:
        ConfigurationError: one that cannot be the name of a namespace.
    """
    for name in names:
        if _NAME.fullmatch(str(name)) is None:
            raise ConfigurationError(
                f"{field}: {name!r} is no name of a namespace; patterns are not read"
            )
    return tuple(dict.fromkeys(str(name) for name in names))


def read_servers(value: object) -> dict[str, Server]:
    """``prometheusServers`` of a configuration.

    Raises:
        ConfigurationError: naming the field.
    """
    servers: dict[str, Server] = {}
    for name, entry in _mapping(value, "prometheusServers").items():
        field = f"prometheusServers.{name}"
        if _NAME.fullmatch(str(name)) is None:
            raise ConfigurationError(f"{field}: write a name of lower-case letters, digits and '-'")
        servers[name] = _server(_mapping(entry, field, _SERVER), field)
    return servers


def _server(entry: Mapping[str, Any], field: str) -> Server:
    basic = _mapping(entry.get("basicAuth", {}), f"{field}.basicAuth", _BASIC)
    tls = _mapping(entry.get("tls", {}), f"{field}.tls", _TLS)
    if basic and entry.get("bearerTokenFile"):
        raise ConfigurationError(f"{field}: set bearerTokenFile or basicAuth, not both")
    if bool(tls.get("certFile")) != bool(tls.get("keyFile")):
        raise ConfigurationError(f"{field}.tls: certFile and keyFile belong together")
    namespaces = entry.get("namespaces")
    if namespaces is not None and not isinstance(namespaces, list):
        raise ConfigurationError(f"{field}.namespaces: a list is expected; left out, all may ask")
    return Server(
        url=check_url(_text(entry.get("url"), f"{field}.url", _URL_HINT), f"{field}.url"),
        headers=_headers(entry.get("headers", {}), f"{field}.headers"),
        bearer_token_file=_file(entry, "bearerTokenFile", field),
        username=_text(basic.get("username"), f"{field}.basicAuth.username", "a user's name")
        if basic
        else "",
        password_file=_file(basic, "passwordFile", f"{field}.basicAuth"),
        ca_file=_file(tls, "caFile", f"{field}.tls"),
        cert_file=_file(tls, "certFile", f"{field}.tls"),
        key_file=_file(tls, "keyFile", f"{field}.tls"),
        server_name=_text(tls["serverName"], f"{field}.tls.serverName", "a host name")
        if "serverName" in tls
        else "",
        namespaces=None
        if namespaces is None
        else frozenset(check_namespaces(namespaces, f"{field}.namespaces")),
        enforced_matchers=_matchers(entry.get("enforcedMatchers", {}), f"{field}.enforcedMatchers"),
    )


def _file(parent: Mapping[str, Any], key: str, field: str) -> str:
    if key not in parent:
        return ""
    path = _text(parent[key], f"{field}.{key}", _FILE_HINT)
    if not Path(path).is_absolute():
        raise ConfigurationError(f"{field}.{key}: {path!r} cannot be used: write {_FILE_HINT}")
    return path


def _headers(value: object, field: str) -> dict[str, str]:
    headers = {
        str(name): _text(text, f"{field}.{name}", "a line of text")
        for name, text in _mapping(value, field).items()
    }
    for name, text in headers.items():
        if _HEADER.fullmatch(name) is None or not text.isprintable():
            raise ConfigurationError(f"{field}.{name}: no header can be called or hold that")
        if name.lower() == "authorization":
            raise ConfigurationError(
                f"{field}.{name}: a secret belongs into a file: set bearerTokenFile or basicAuth"
            )
    return headers


def _matchers(value: object, field: str) -> dict[str, str]:
    matchers = {
        str(name): _text(text, f"{field}.{name}", 'a value, like "{{ namespace }}"')
        for name, text in _mapping(value, field).items()
    }
    for name in matchers:
        if _LABEL.fullmatch(name) is None:
            raise ConfigurationError(f"{field}.{name}: write the name of a label, like namespace")
    return matchers


def check_url(url: str, field: str) -> str:
    """The base address of a Prometheus server, without a slash at its end.

    Raises:
        ConfigurationError: no http or https, no host, or a query in it.
    """
    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0
            and not parts.query
            and not parts.fragment
        )
    except ValueError:
        usable = False
    if not usable:
        shown = address(url) or (repr(url) if _BARE.fullmatch(url) else "what stands there")
        raise ConfigurationError(f"{field}: {shown} cannot be used: write {_URL_HINT}")
    return url.rstrip("/")


def _mapping(value: object, field: str, known: Collection[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f"{field or 'the document'}: a mapping is expected, not {_kind(value)}"
        )
    unknown = [str(key) for key in value if known and key not in known]
    if unknown:
        where = f"{field}.{unknown[0]}" if field else unknown[0]
        raise ConfigurationError(f"{where}: unknown; known are {', '.join(sorted(known))}")
    return value


def _text(value: object, field: str, hint: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{field}: {_kind(value)} cannot be used: write {hint}")
    return value.strip()


def _kind(value: object) -> str:
    """What a value is, without what is in it: it may be a password at the wrong place."""
    if isinstance(value, str) or value is None:
        return repr(value) if not value or value.isspace() else "a text"
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "a mapping" if isinstance(value, Mapping) else "something else")


def _yaml_problem(error: yaml.YAMLError) -> str:
    """Without the line itself."""
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    return f"{getattr(error, 'problem', None) or 'it cannot be parsed'}{where}"


def _one_of(value: object, field: str, choices: Collection[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        words = ", ".join(choices)
        raise ConfigurationError(f"{field}: {value!r} cannot be used: write one of {words}")
    return value


def _namespaces(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigurationError("watchNamespaces: a list is expected; an empty one means all")
    return check_namespaces(value, "watchNamespaces")


def _port(value: object) -> int:
    try:
        port = int(str(value))
    except ValueError:
        port = -1
    if not 0 <= port <= _HIGHEST_PORT:
        raise ConfigurationError(
            f"http.port: {value!r} is no port: write a number up to {_HIGHEST_PORT}, like 8080"
        )
    return port


def _percent(value: object, field: str) -> float:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not 0 < number <= 100:  # noqa: PLR2004 - per cent
        raise ConfigurationError(
            f"{field}: {value!r} cannot be used: write a number above 0 and up to 100, like 25 "
            "(100: runs begin whatever the others do)"
        )
    return float(number)
