"""Definitions of English nouns from WordNet 3.0, as Debian packages it.

Nothing is committed: the package is fetched at run time from this machine's mirror, signatures
checked as always, and unpacked into the cache.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGE: Final = "wordnet-base"
NOUNS: Final = "usr/share/wordnet/data.noun"
FILES: Final = {
    "nature": ("05", "20"),
    "person": ("18",),
    "artifact": ("06",),
    "act": ("04", "11"),
    "abstract": ("07", "09", "10", "26"),
}
"""Five classes of lexicographer files: animals and plants, persons, artifacts, acts and events,
attributes with cognition, communication and states."""


class FetchError(RuntimeError):
    """The package cannot be had; the message says what to do."""


def definitions(cache: Path) -> Iterator[tuple[str, str, str]]:
    """Each gloss without its examples, its lexicographer file, and the class of that.

    Raises:
        FetchError: apt cannot fetch the package.
    """
    folder = cache / PACKAGE
    if not (folder / "complete").exists():
        _fetch(folder)
    label_of = {number: label for label, numbers in FILES.items() for number in numbers}
    seen: set[str] = set()
    for line in (folder / NOUNS).read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # the licence
            continue
        synset, _, gloss = line.partition(" | ")
        text, number = gloss.split('; "')[0].strip(), synset.split(" ")[1]
        if number in label_of and text and text.lower() not in seen:
            seen.add(text.lower())
            yield text, number, label_of[number]


def _fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["apt-get", "-o", "APT::Sandbox::User=root", "download", "--quiet", PACKAGE],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = sorted(folder.glob(f"{PACKAGE}_*.deb"))
    if done.returncode or not found:
        raise FetchError(
            f"apt cannot fetch {PACKAGE} from this machine's mirror:\n{done.stderr.strip()}\n"
            "Check that `apt-get update` works here, then try again."
        )
    subprocess.run(["dpkg-deb", "-x", found[-1], folder], check=True)
    (folder / "complete").touch()
