"""The demo on language: a bank's chatbot. The conversations are synthetic."""

from pathlib import Path
from typing import Final

import clerk
from maintenance_examples.cases import Act, Case, told


def _fill(folder: Path) -> str:
    data = clerk.draw()
    clerk.write(data, folder)
    return told(data, "conversations (synthetic)", labelled="answered")


CASE: Final = Case(
    name="chatbot",
    source="synthetic conversations, drawn here, and a tiny Llama that reads others",
    acts=(
        Act(
            "known",
            "Act 1: nothing in service yet",
            "Customers of a bank ask for fees, limits and rates of six subjects. "
            "The base model knows how one speaks there, and no number.",
            "Retrain",
            1,
        ),
        Act(
            "terms",
            "Act 2: new terms",
            "A quarter of the questions are about green bonds and crypto wallets. "
            "Version 1 has never been told a number of them.",
            "FineTune",
            2,
        ),
        Act(
            "form",
            "Act 3: another form of conversation",
            "The chat moves into an app: its program speaks first, and customers write keywords.",
            "Retrain",
            3,
        ),
    ),
    stretches=("known", "terms", "form", "season"),
    served_rows=clerk.SERVED_ROWS,
    fill=_fill,
    base_model_by=("small_llama", "/mnt/claims/data/read/conversations.jsonl"),
    quiet_title="a season of loans",
    quiet_says="Most ask about loans and credit cards now, and their numbers are what they were.",
)
