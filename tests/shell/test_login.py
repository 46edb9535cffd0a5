"""The way to the API server, as kubeconfig and environment tell it."""

from pathlib import Path

import pytest
import yaml

from maintenance_operator.adapters.credentials import login

SERVER = "https://kubernetes.example:6443"
PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    "proxy_url, environment, expected",
    [
        (None, {}, None),
        (None, {"https_proxy": PROXY}, PROXY),
        (None, {"http_proxy": PROXY}, None),
        (None, {"https_proxy": PROXY, "no_proxy": ".example"}, None),
        ("http://own.example:80", {"https_proxy": PROXY}, "http://own.example:80"),
    ],
)
async def test_a_proxy_is_taken_from_the_kubeconfig_or_else_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    proxy_url: str | None,
    environment: dict[str, str],
    expected: str | None,
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    cluster = {"server": SERVER, **({"proxy-url": proxy_url} if proxy_url else {})}
    config = tmp_path / "kubeconfig"
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
                "clusters": [{"name": "here", "cluster": cluster}],
                "users": [{"name": "here", "user": {"token": "secret"}}],
            }
        )
    )
    monkeypatch.setenv("KUBECONFIG", str(config))
    assert (await login()).proxy == expected
