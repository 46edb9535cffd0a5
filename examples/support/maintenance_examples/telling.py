"""Status in words."""

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]


def decision(document: Document) -> Iterator[str]:
    """A decision's path with its numbers, and what was not done."""
    what = f"{document['action']}, {document['reason']}"
    yield f"decision {document['number']} ({document['trigger']}): {what}"
    for step in document.get("path", []):
        numbers = "; ".join(evidence(item) for item in step.get("evidence", []))
        yield f"    {step['question']}? {step['answer']}" + (f"   {numbers}" if numbers else "")
    for other in document.get("rejected", []):
        yield f"    not {other['action']}: {other['because']}"


def evidence(item: Document) -> str:
    """One number: ``outsideSupport 0.18 (bound 0.05, p 1e-09, n 1200)``."""
    parts = [
        f"{word} {item[key]}"
        for key, word in (("threshold", "bound"), ("pValue", "p"), ("n", "n"))
        if item.get(key) not in {None, ""}
    ]
    return f"{item['name']} {item['value']}" + (f" ({', '.join(parts)})" if parts else "")


def run(entry: Document) -> str:
    """How a run ended: ``run 2: Promoted version 2 …``."""
    text = f"run {entry['number']}: {entry['action']} {entry['outcome']}"
    if entry.get("version"):
        text += f", version {entry['version']}"
    if entry.get("trainSeconds") is not None:
        text += f", trained in {entry['trainSeconds']} s"
    for side, score in (entry.get("scores") or {}).items():
        before = "reference" if entry.get("championVersion") is None else "champion"
        text += (f"; {side} held-out rows ({score['n']}): {before} {score['champion']}, "
                 f"challenger {score['challenger']}")  # fmt: skip
    return text
