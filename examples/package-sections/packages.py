"""Debian package synopses and their sections, by way of the machine's own apt configuration.

Nothing is committed: descriptions are fetched at run time from the mirror that this machine is
configured to use, into an apt directory of its own, signatures checked as always.
"""

import fcntl
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GROUPS: Final = {
    "programming": (
        "devel", "golang", "haskell", "java", "javascript", "lisp", "ocaml", "perl", "php",
        "python", "ruby", "rust",
    ),
    "desktop": ("fonts", "games", "sound", "x11"),
    "system": ("admin", "net", "utils"),
    "science": ("math", "science"),
    "text": ("doc", "editors", "tex", "text"),
}  # fmt: skip
"""Five coarse groups of Debian's sections; the groups are the labels."""

KEYRING: Final = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class FetchError(RuntimeError):
    """The package index cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Synopsis:
    """One line of description, the section it is filed under, and the group of that section."""

    text: str
    section: str
    group: str


def synopses(suite: str, cache: Path) -> tuple[Synopsis, ...]:
    """Every distinct synopsis of a suite, one per source package, in the index's order.

    Fetched at most once into ``cache``.

    Raises:
        FetchError: apt cannot fetch the suite from this machine's mirror.
    """
    root = cache / "apt" / suite
    with _locked(root):
        if not (root / "complete").exists():
            _fetch(suite, root)
    group_of = {section: group for group, names in GROUPS.items() for section in names}
    texts: set[str] = set()
    sources: set[str] = set()
    found = []
    for stanza in _stanzas(root):
        section = stanza.get("Section", "")
        source = stanza.get("Source", stanza.get("Package", "")).split(" ")[0]
        text = stanza.get("Description", "")
        key = " ".join(text.lower().split())
        if section in group_of and text and source not in sources and key not in texts:
            sources.add(source)
            texts.add(key)
            found.append(Synopsis(text, section, group_of[section]))
    return tuple(found)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One process fetches; others that want the same suite wait for it, as apt itself would not."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _fetch(suite: str, root: Path) -> None:
    """``apt-get update`` of one suite in an apt directory of its own."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    signed_by = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (root / "sources.list").write_text(f"deb {signed_by}{_mirror()} {suite} main\n")
    done = _apt(root, "apt-get", "update", "--quiet", "--error-on=any")
    if done.returncode:
        raise FetchError(
            f"apt cannot fetch the package index of Debian {suite} from this machine's mirror:\n"
            f"{done.stderr.strip()}\nCheck that `apt-get update` works here, then try again."
        )
    (root / "complete").touch()


def _mirror() -> str:
    """The address of the Debian archive in this machine's apt configuration."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    form = "$(RELEASE) $(COMPONENT) $(REPO_URI)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for line in listed.stdout.splitlines():
        release, component, uri = line.split(" ", 2)
        if (release, component) == (codename, "main"):
            return uri
    raise FetchError(
        f"apt's configuration names no Debian mirror ({codename or 'unknown release'}, main): the "
        "demo reads Debian's package indexes. Run it on Debian, with a mirror in /etc/apt."
    )


def _stanzas(root: Path) -> Iterator[dict[str, str]]:
    form = "$(FILENAME)"
    named = _apt(root, "apt-get", "indextargets", "--format", form, "Created-By: Packages")
    for name in named.stdout.split():
        index = _apt(root, "/usr/lib/apt/apt-helper", "cat-file", name)
        for stanza in index.stdout.split("\n\n"):
            fields = (line.partition(": ") for line in stanza.splitlines() if line[:1].strip())
            yield {name: value for name, _, value in fields}


def _apt(root: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = {
        "Dir::State": f"{root}/state",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": f"{root}/cache",
        "Dir::Etc::sourcelist": f"{root}/sources.list",
        "Dir::Etc::sourceparts": "-",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    settings = [text for name, value in options.items() for text in ("-o", f"{name}={value}")]
    return subprocess.run(
        [program, *settings, *arguments], capture_output=True, text=True, check=False
    )
