"""Configuration: what is wrong is named, with what to write instead."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from maintenance_core.allowed import Allowed
from maintenance_core.model import Server
from maintenance_operator import __version__
from maintenance_operator.__main__ import main
from maintenance_operator.settings import ConfigurationError, Settings, load, read

GOOD: dict[str, Any] = {
    "prometheusServers": {"default": {"url": "http://prometheus:9090/"}},
    "trainer": {"image": "trainer:1"},
}


def test_the_least_that_has_to_be_said() -> None:
    assert read(GOOD, {}) == Settings({"default": Server("http://prometheus:9090")}, "trainer:1")


def test_everything_that_can_be_said() -> None:
    document = GOOD | {
        "trainer": {
            "image": "trainer:1",
            "imagePullPolicy": "Never",
            "scratchSize": 5e9,
            "allow": {
                "env": ["WANDB_*"],
                "serviceAccounts": ["finance/trainer"],
                "priorityClasses": ["system-cluster-critical"],
                "tolerations": ["node-role.kubernetes.io/infra"],
            },
        },
        "watchNamespaces": ["a", "b", "a"],
        "guard": {"maxBreachingPercent": 40},
        "http": {"port": 9000},
        "log": {"level": "debug", "format": "text"},
    }
    assert read(document, {}) == Settings(
        {"default": Server("http://prometheus:9090")},
        "trainer:1",
        "Never",
        ("a", "b"),
        40.0,
        9000,
        "debug",
        "text",
        Allowed(
            ("WANDB_*",),
            ("finance/trainer",),
            ("system-cluster-critical",),
            ("node-role.kubernetes.io/infra",),
        ),
        "5000000000",
    )


TLS = {"caFile": "/tls/ca", "certFile": "/tls/crt", "keyFile": "/tls/key", "serverName": "p.test"}


def test_everything_that_can_be_said_of_a_server() -> None:
    servers = {
        "token": {"url": "https://a", "bearerTokenFile": "/auth/token", "tls": TLS},
        "password": {
            "url": "https://b/prometheus/",
            "basicAuth": {"username": "ml", "passwordFile": "/auth/password"},
            "headers": {"X-Scope-OrgID": "ml"},
            "namespaces": ["finance", "sports"],
            "enforcedMatchers": {"namespace": "{{ namespace }}"},
        },
    }
    assert read(GOOD | {"prometheusServers": servers}, {}).prometheus_servers == {
        "token": Server(
            "https://a",
            bearer_token_file="/auth/token",  # noqa: S106 - where it lies
            ca_file="/tls/ca",
            cert_file="/tls/crt",
            key_file="/tls/key",
            server_name="p.test",
        ),
        "password": Server(
            "https://b/prometheus",
            headers={"X-Scope-OrgID": "ml"},
            username="ml",
            password_file="/auth/password",  # noqa: S106 - where it lies
            namespaces=frozenset({"finance", "sports"}),
            enforced_matchers={"namespace": "{{ namespace }}"},
        ),
    }


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"bearerTokenFile": "token"},
            "a.bearerTokenFile: 'token' cannot be used: write the whole",
        ),
        ({"bearerTokenFile": "/t", "basicAuth": {"username": "x"}}, "not both"),
        ({"basicAuth": {"user": "x"}}, "a.basicAuth.user: unknown; known are"),
        ({"basicAuth": {"passwordFile": "/p"}}, "a.basicAuth.username: None cannot be used"),
        ({"tls": {"certFile": "/c"}}, "a.tls: certFile and keyFile belong together"),
        ({"tls": {"insecureSkipVerify": True}}, "a.tls.insecureSkipVerify: unknown"),
        ({"headers": {"Authorization": "Bearer x"}}, "a secret belongs into a file"),
        ({"headers": {"A B": "x"}}, "a.headers.A B: no header"),
        ({"headers": {"A": "x\ny: z"}}, "a.headers.A: no header"),
        ({"namespaces": "finance"}, "a.namespaces: a list is expected"),
        ({"namespaces": ["team-*"]}, "a.namespaces: 'team-*' is no name of a namespace"),
        ({"enforcedMatchers": {"a-b": "x"}}, "a.enforcedMatchers.a-b: write the name of a label"),
        ({"enforcedMatchers": {"namespace": ""}}, "a.enforcedMatchers.namespace: '' cannot be"),
    ],
)
def test_what_is_wrong_with_a_server_is_named(change: dict[str, Any], message: str) -> None:
    servers = {"a": {"url": "http://x", **change}}
    with pytest.raises(ConfigurationError) as caught:
        read(GOOD | {"prometheusServers": servers}, {})
    assert message in str(caught.value)


def test_the_environment_wins() -> None:
    settings = read(
        GOOD,
        {
            "MM_TRAINER_IMAGE": "other:2",
            "MM_LOG_LEVEL": "error",
            "MM_LOG_FORMAT": "text",
            "MM_HTTP_PORT": "1234",
        },
    )
    assert (settings.trainer_image, settings.log_level) == ("other:2", "error")
    assert (settings.log_format, settings.http_port) == ("text", 1234)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"prometheusServer": {}}, "prometheusServer: unknown; known are"),
        ({"prometheusServers": []}, "prometheusServers: a mapping is expected"),
        (
            {"prometheusServers": {"Default": {}}},
            "prometheusServers.Default: write a name of lower",
        ),
        ({"prometheusServers": {"a": "http://x"}}, "prometheusServers.a: a mapping is expected"),
        ({"prometheusServers": {"a": {}}}, "prometheusServers.a.url: None cannot be used: write"),
        ({"prometheusServers": {"a": {"url": "prometheus:9090"}}}, "like http://prometheus"),
        ({"prometheusServers": {"a": {"url": "http://x:99999"}}}, "prometheusServers.a.url"),
        ({"prometheusServers": {"a": {"url": "http://x?y=z"}}}, "prometheusServers.a.url"),
        ({"prometheusServers": {"a": {"uri": "http://x"}}}, "prometheusServers.a.uri: unknown"),
        ({"trainer": {}}, "trainer.image: None cannot be used: write the trainer's image"),
        ({"trainer": {"image": "x", "imagePullPolicy": "Sometimes"}}, "write one of Always"),
        ({"trainer": {"image": "x", "allow": ["A"]}}, "trainer.allow: a mapping is expected"),
        ({"trainer": {"image": "x", "allow": {"envs": []}}}, "trainer.allow.envs: unknown; known"),
        ({"trainer": {"image": "x", "allow": {"env": "A"}}}, "trainer.allow.env: a list of names"),
        ({"trainer": {"image": "x", "allow": {"env": [7]}}}, "trainer.allow.env: 7 cannot be used"),
        (
            {"trainer": {"image": "x", "allow": {"env": ["LD_PRELOAD"]}}},
            "trainer.allow.env: LD_PRELOAD is the trainer's own",
        ),
        ({"trainer": {"image": "x", "scratchSize": "big"}}, "trainer.scratchSize: 'big' is no"),
        ({"guard": {"maxBreachingPercent": 0}}, "guard.maxBreachingPercent: 0 cannot be used"),
        ({"guard": {"maxBreachingPercent": True}}, "a number above 0 and up to 100"),
        ({"guard": {"most": 3}}, "guard.most: unknown; known are maxBreachingPercent"),
        ({"watchNamespaces": "finance"}, "watchNamespaces: a list is expected"),
        ({"watchNamespaces": ["team-*"]}, "watchNamespaces: 'team-*' is no name of a namespace"),
        ({"http": {"port": "many"}}, "http.port: 'many' is no port"),
        ({"http": {"port": 70000}}, "http.port: 70000 is no port"),
        ({"log": {"level": "chatty"}}, "log.level: 'chatty' cannot be used: write one of debug"),
        ({"log": {"format": "xml"}}, "log.format: 'xml' cannot be used: write one of json, text"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(GOOD | change, {})
    assert message in str(caught.value)


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_a_document_that_is_no_mapping(document: object, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("" if document is None else repr(document))
    with pytest.raises(ConfigurationError, match=str(file)):
        load(file, {})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name the file with --config"):
        load(tmp_path / "none.yaml", {})
    torn = tmp_path / "torn.yaml"
    torn.write_text("a: {b")
    with pytest.raises(ConfigurationError, match="no YAML"):
        load(torn, {})


def test_a_bad_configuration_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("trainer: {image: x}\nprometheus: {}\n")
    assert main(["run", "--config", str(file)]) == 78
    assert "prometheus: unknown; known are" in capsys.readouterr().err


@pytest.mark.slow
def test_help_teaches_and_version_is_told() -> None:
    command = [sys.executable, "-m", "maintenance_operator"]
    told = subprocess.run([*command, "run", "--help"], capture_output=True, text=True, check=True)
    assert "--namespace" in told.stdout
    assert "/healthz" in told.stdout
    version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout == f"{__version__}\n"


def test_the_version_is_said_once() -> None:
    root = Path(__file__).resolve().parents[2]
    project = tomllib.loads((root / "operator/pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == __version__


CANARY = "canary-of-a-secret"


@pytest.mark.parametrize(
    "servers",
    [
        {"a": {"url": f"http://user:{CANARY}@x:99999"}},
        {"a": {"url": f"http://user:{CANARY}@x/{CANARY}?token={CANARY}"}},
        {"a": {"url": f"user:{CANARY}@x"}},
        {"a": {"url": f"ftp://user:{CANARY}@x"}},
        {"a": {"url": "http://x", "basicAuth": f"user:{CANARY}"}},
        {"a": {"url": "http://x", "basicAuth": [CANARY]}},
        {"a": {"url": "http://x", "bearerTokenFile": {"token": CANARY}}},
        {"a": {"url": "http://x", "headers": {"X-Key": [CANARY]}}},
        {"a": {"url": "http://x", "headers": {"X-Key": f"\x1b{CANARY}"}}},
        {"a": f"http://user:{CANARY}@x"},
        f"http://user:{CANARY}@x",
    ],
)
def test_what_is_wrong_is_named_without_what_may_be_a_secret(servers: object) -> None:
    with pytest.raises(ConfigurationError, match="prometheusServers") as caught:
        read(GOOD | {"prometheusServers": servers}, {})
    assert CANARY not in str(caught.value)


def test_a_file_that_is_no_yaml_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"prometheusServers:\n  a: {{url: http://u:{CANARY}@x, b: [}}\n")
    with pytest.raises(ConfigurationError, match=r"no YAML: .* in line 2") as caught:
        load(file, {})
    assert CANARY not in str(caught.value)
