#!/usr/bin/env python3
"""Build the site of the documentation into build/site; with --check, only see whether it can be.

The pages stay where they are in the repository, and link to each other and to files beside them as
paths of the repository. So the builder gets a copy of that part of the repository: the pages that
mkdocs.yml names, and the files that they show or link to. Nothing is fetched from a network.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
CONFIGURATION: Final = ROOT / "mkdocs.yml"
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]+)(?:#[^)\s]*)?\)")
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def spread(nav: Any) -> Any:
    """The navigation with each folder replaced by the pages in it, README.md first."""
    match nav:
        case str() if nav.endswith("/"):
            found = sorted(
                (ROOT / nav).glob("*.md"), key=lambda page: (page.stem != "README", page)
            )
            return [str(page.relative_to(ROOT)) for page in found]
        case list():
            return [spread(entry) for entry in nav]
        case dict():
            return {title: spread(entry) for title, entry in nav.items()}
        case _:
            return nav


def named(nav: Any) -> Iterator[str]:
    """The pages that a navigation names, in its order."""
    match nav:
        case str():
            yield nav
        case list():
            for entry in nav:
                yield from named(entry)
        case dict():
            for entry in nav.values():
                yield from named(entry)
        case _:
            sys.exit(f"mkdocs.yml: {nav!r} is no page")


def configuration() -> dict[str, Any]:
    """The builder's configuration."""
    read: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    return read | {"nav": spread(read["nav"])}


def pages() -> list[str]:
    """The pages of the site, as paths of the repository."""
    return [*named(configuration()["nav"])]


def orphans() -> list[str]:
    """Pages of the documentation that the navigation does not name."""
    return sorted(
        {str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")} - {*pages()}
    )


def linked(page: str) -> Iterator[Path]:
    """The files that a page links to or shows. Code is no link."""
    text = _CODE.sub(" ", (ROOT / page).read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        yield Path(os.path.normpath(ROOT / Path(page).parent / target))


def lay_out(folder: Path) -> list[str]:
    """Copy pages and linked files to a folder, in the repository's order; say what is wrong."""
    wrong = [f"{page}: no entry of nav in mkdocs.yml" for page in orphans()]
    known = pages()
    files = {ROOT / page for page in known}
    for page in known:
        for target in linked(page):
            place = os.path.relpath(target, ROOT)
            if target.is_dir():
                wrong.append(f"{page}: {place} is a folder; link to a file in it")
            elif target.suffix == ".md" and place not in known:
                wrong.append(f"{page}: {place} is no page of the site; name it in mkdocs.yml")
            elif not target.is_file():
                wrong.append(f"{page}: there is no {place}")
            else:
                files.add(target)
    for file in files:
        copy = folder / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return wrong


def workshop() -> Path:
    """The folder outside of the tree where the site of this checkout is built."""
    cache = Path(os.environ.get("MM_CACHE") or Path.home() / ".cache/model-maintenance")
    return cache / "site" / hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]


def main() -> None:
    """Build; the exit status says whether all is well."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true")
    check = arguments.parse_args().check
    folder = workshop()
    shutil.rmtree(folder / "pages", ignore_errors=True)
    if wrong := lay_out(folder / "pages"):
        sys.exit("\n".join(wrong))
    (folder / CONFIGURATION.name).write_text(yaml.safe_dump(configuration(), sort_keys=False))
    # What has not changed is taken from the builder's own cache in that folder.
    built = subprocess.run(
        [Path(sys.executable).with_name("zensical"), "build", "--strict"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if built.returncode:
        sys.exit(built.stdout.partition("Traceback")[0])
    if not check:
        site = ROOT / "build/site"
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(folder / "site", site)
        print(f"{site / 'index.html'} is the first page")


if __name__ == "__main__":
    main()
