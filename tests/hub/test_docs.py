"""Every relative link of our Markdown pages leads to a file that is there, and to a heading that it has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
from voxelhub_hub.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LEFT_OUT = {"node_modules", "vendor", "dist", "dist-lab", "test-results"}


def pages() -> list[Path]:
    """What git keeps or would keep; where this is no clone (a bundle), every page outside what the set-up makes."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
                          capture_output=True, text=True)
    if done.returncode == 0:
        return sorted(path for path in {ROOT / name for name in done.stdout.split("\0") if name} if path.exists())
    return [path for path in sorted(ROOT.rglob("*.md"))
            if not any(part in LEFT_OUT or part.startswith(".") for part in path.relative_to(ROOT).parts[:-1])]


def links_of(text: str) -> list[str]:
    """Targets of links and pictures, without those inside code and those to other places."""
    text = CODE.sub("", FENCE.sub("", text))
    found = [inline or reference for inline, reference in LINK.findall(text)]
    return [target for target in found if not re.match(r"[a-z][a-z0-9+.-]*:|//", target)]


def anchors_of(text: str) -> set[str]:
    """As GitHub names headings: lower case, punctuation dropped, spaces as hyphens, repeated ones numbered."""
    seen: dict[str, int] = {}
    found = set()
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", FENCE.sub("", text), re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = seen.get(name, 0)
        seen[name] = number + 1
        found.add(f"{name}-{number}" if number else name)
    return found


def broken(page: Path) -> list[str]:
    wrong = []
    for target in links_of(page.read_text()):
        name, _, anchor = unquote(target).partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors_of(path.read_text())):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_resolves(path: Path) -> None:
    assert broken(path) == []


def test_no_page_of_docs_is_out_of_reach_from_the_readme() -> None:
    reached, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        reached.add(page)
        targets = {(page.parent / unquote(t).partition("#")[0]).resolve() for t in links_of(page.read_text())}
        left += [path for path in targets if path.suffix == ".md" and path.exists() and path not in reached]
    assert [str(p.relative_to(ROOT)) for p in pages() if p.is_relative_to(ROOT / "docs") and p not in reached] == []


def test_every_voxelhub_command_in_the_pages_exists() -> None:
    """`./voxelhub NAME` and `make TARGET` as written anywhere in README and docs."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong = []
    for page in pages():
        text = page.read_text()
        said = set(re.findall(r"`(?:\./)?voxelhub ([a-z]+)|^\./voxelhub ([a-z]+)", text, re.MULTILINE))
        wrong += [f"{page.name}: voxelhub {name}" for pair in said for name in pair if name and name not in COMMANDS]
        wrong += [f"{page.name}: make {name}" for name in re.findall(r"`make ([a-z-]+)", text) if name not in targets]
    assert wrong == []


def test_the_check_itself_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A heading, twice\n# A heading, twice\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#a-heading-twice) [c](there.md#a-heading-twice-1) [d](#own) ![e](gone.png) [f](there.md#no)\n"
        "# Own\n`[g](code.md)`\n```\n[h](fenced.md)\n```\n[i](https://example.org/x) [j][r]\n\n[r]: gone.md\n")
    assert broken(page) == ["gone.png", "there.md#no", "gone.md"]

