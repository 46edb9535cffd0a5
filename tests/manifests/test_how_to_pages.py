"""What the how-to pages tell to type at kubectl, a real API server takes."""

import json
import re
import shlex
import uuid
from pathlib import Path
from typing import Any

import pytest
from support.programs import ROOT, Programs

LATER = "2026-11-23T02:00:00Z"


def code(page: str, language: str) -> str:
    """All the page's code of a language."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return "\n".join(blocks)


def commands(page: str, verb: str) -> list[list[str]]:
    """The page's kubectl commands of a verb, without the word kubectl."""
    text = code(page, "bash").replace("\\\n", " ")
    found = re.findall(rf"^kubectl ({verb} (?:'[^']*'|[^'\n])*)$", text, re.MULTILINE)
    return [shlex.split(command, comments=True) for command in found]


@pytest.fixture
def namespace(cluster: Programs) -> str:
    name = f"pages-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    return name


def test_a_rollback_is_taken_and_names_the_version_before(
    cluster: Programs, namespace: str, tmp_path: Path
) -> None:
    def run(command: list[str]) -> str:
        here = [namespace if word == "finance" else word for word in command]
        return cluster.kubectl(*here).stdout

    sample = (ROOT / "manifests/samples/minimal.yaml").read_text(encoding="utf-8")
    named = tmp_path / "news.yaml"
    named.write_text(sample.replace("  name: ", "  name: news-sentiment #", 1), encoding="utf-8")
    run(["apply", "-n", "finance", "-f", str(named)])
    champion = {
        "version": 7,
        "storageUri": "pvc://models/news-sentiment/versions/7",
        "digest": "sha256:seven",
        "promotedTime": LATER,
        "action": "FineTune",
        "baseline": {"value": "0.9", "time": LATER},
    }
    promotion = {
        "number": 9, "trigger": "PerformanceDrop", "action": "FineTune", "reason": "ChallengerWins",
        "outcome": "Promoted", "startTime": LATER, "endTime": LATER, "trained": True,
        "championVersion": 6, "championDigest": "sha256:six", "version": 7,
    }  # fmt: skip
    status = {"observedGeneration": 1, "champion": champion, "history": [promotion]}
    patch = ["patch", "mm", "news-sentiment", "-n", "finance", "--type=merge"]
    run([*patch, "--subresource=status", "-p", json.dumps({"status": status})])

    [before] = [command for command in commands("rollback.md", "get") if "mm" in command]
    assert run(before) == "9: 6 sha256:six -> 7\n"
    for command in commands("rollback.md", "patch"):
        run(command)

    shown: dict[str, Any] = json.loads(
        run(["get", "mm", "news-sentiment", "-n", "finance", "-o", "json"])
    )
    assert shown["spec"]["suspend"] is True
    assert shown["status"]["champion"]["version"] == 6
    assert "baseline" not in shown["status"]["champion"]
    assert shown["status"]["history"] == [promotion]


@pytest.mark.parametrize("page", ["in-service.md", "labels.md"])
def test_the_manifests_of_a_page_are_taken(
    cluster: Programs, namespace: str, page: str, tmp_path: Path
) -> None:
    documents = [part for part in code(page, "yaml").split("\n---\n") if "apiVersion" in part]
    assert documents
    file = tmp_path / "page.yaml"
    file.write_text("\n---\n".join(documents), encoding="utf-8")
    cluster.kubectl("apply", "--dry-run=server", "-n", namespace, "-f", str(file))
