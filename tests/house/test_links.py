"""Every relative link of a page leads to a file that is there, and to a heading that it has."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for folder in (
        "",
        "docs",
        "docs/decisions",
        "benchmarks",
        "examples",
        "manifests/samples",
        "dev",
    )
    for page in (ROOT / folder).glob("*.md")
)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    """Without code, in which brackets mean something else."""
    return CODE.sub(" ", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """Of headings, as they are made on GitHub, and those written out."""
    text = page.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    spelled = (re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", h)).lower() for h in headings)
    return {h.replace(" ", "-") for h in spelled} | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for file, anchor in LINK.findall(text_of(page)):
        target = (page.parent / file).resolve() if file else page
        missing = anchor and target.suffix == ".md" and anchor not in anchors(target)
        if not target.exists() or missing:
            broken.append(f"{file}#{anchor}")
    assert broken == []


def test_the_links_of_the_readme_are_seen_at_all() -> None:
    assert len(LINK.findall(text_of(ROOT / "README.md"))) > 20
