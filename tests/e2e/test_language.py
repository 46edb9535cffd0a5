"""A language model on a real node: decided by the product from Prometheus to promotion.

The model is a tiny Llama that has read how one speaks at a bank, and none of its facts. No reading
is good enough for these resources, so each asks its new rows at once.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from maintenance_examples.clusters import Cluster
from maintenance_examples.watching import Watched
from support import maintained
from support.language import (
    NEW_SUBJECTS,
    QUICK,
    SUBJECTS,
    Bank,
    base_model,
    conversations,
    let_read,
    with_system,
    write,
)

pytestmark = pytest.mark.timeout(1500)

BEFORE, AFTER = 600, 240
CASES = {
    # One question in six is about what nobody asked for before.
    "terms": (
        conversations(2, AFTER, Bank(SUBJECTS + NEW_SUBJECTS)),
        "FineTune",
        "DomainExpansion",
    ),
    # Another program holds the conversations, and says first who it is.
    "form": (conversations(3, AFTER, change=with_system), "Retrain", "FeatureSpaceChanged"),
}


def _shuffled(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answers = [record["messages"][-1] for record in records]
    random.Random(0).shuffle(answers)  # noqa: S311  # no secret
    return [
        {"messages": [*record["messages"][:-1], answer]}
        for record, answer in zip(records, answers, strict=True)
    ]


def _fill(folder: Path) -> None:
    let_read(base_model(folder / "chat/base"))
    (folder / "chat/nothing").mkdir()
    write(folder / "chat/original/first.jsonl", conversations(1, BEFORE))
    for name, (records, _, _) in CASES.items():
        write(folder / f"chat/{name}/more.jsonl", records)
    write(folder / "chat/shuffled/more.jsonl", _shuffled(conversations(4, AFTER)))


@pytest.fixture(scope="module")
def bank(cluster: Cluster) -> Iterator[Watched]:
    """A namespace with conversations on its claims; version 1 is trained and in service."""
    wanted = _resource("bank", "nothing")
    with maintained.begun(cluster, _fill, wanted, base_model=False) as watched:
        yield watched


def _resource(name: str, updates: str, initial: str = "") -> dict[str, Any]:
    resource = maintained.resource("chatbot", name, "pvc://data/chat", initial=initial)
    spec = resource["spec"]
    spec["model"]["baseModel"] = {"storageUri": "pvc://data/chat/base"}
    spec["data"] = {
        "original": {"storageUri": "pvc://data/chat/original"},
        "updates": {"storageUri": f"pvc://data/chat/{updates}"},
    }
    spec["gate"] = {}
    # A tiny model learns nothing at the steps of a large one.
    spec["training"] |= {
        "fineTune": {"method": "LoRA", "arguments": {**QUICK, "learning_rate": 0.01}},
        "retrain": {"method": "Full", "arguments": {**QUICK, "num_train_epochs": 5}},
    }
    return resource


@pytest.fixture(scope="module")
def asked(bank: Watched) -> dict[str, Watched]:
    """All cases: each takes version 1 over, and then looks at rows of its own."""
    wanted = (_resource(name, name, "pvc://models/bank/versions/1") for name in CASES)
    return {each["metadata"]["name"]: maintained.taken_over(bank, each) for each in wanted}


def test_version_1_knows_the_facts_that_its_base_model_does_not(bank: Watched) -> None:
    first = bank.status()["history"][0]
    assert (first["action"], first["outcome"]) == ("Retrain", "Promoted")
    assert first["scores"]["old"]["metric"] == "BitsPerByte"
    assert float(first["scores"]["old"]["challenger"]) < 0.15


def test_what_is_asked_and_how_decides(asked: dict[str, Watched]) -> None:
    told = {}
    for name, (_, action, reason) in CASES.items():
        decision = maintained.decision(asked[name], action)
        assert (decision["action"], decision["reason"]) == (action, reason), decision["message"]
        told[name] = maintained.why(asked[name])
    assert "lie outside what the champion was trained on" in told["terms"]
    assert "in a form that hardly an old one has" in told["form"]


@pytest.mark.parametrize("name", CASES)
def test_the_new_version_wins_and_is_promoted(asked: dict[str, Watched], name: str) -> None:
    assert maintained.won(asked[name], CASES[name][1])


def test_what_was_answered_before_is_answered_after_adapters_have_learnt(
    asked: dict[str, Watched],
) -> None:
    old = maintained.trained(asked["terms"])["scores"]["old"]
    assert float(old["challenger"]) < float(old["champion"]) + 0.02


def test_shuffled_answers_block_and_say_what_to_do(bank: Watched) -> None:
    resource = _resource("shuffled", "shuffled", "pvc://models/bank/versions/1")
    watched = maintained.taken_over(bank, resource)
    decision = maintained.decision(watched, "Blocked")
    assert (decision["action"], decision["reason"]) == ("Blocked", "DataUnusable")
    assert "the answers of 240 new rows do not go with their questions" in decision["message"]
    assert "Whoever provides the answers must mend them" in decision["message"]
    assert watched.status()["champion"]["version"] == 1
