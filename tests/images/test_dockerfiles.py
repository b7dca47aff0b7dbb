"""What the Dockerfiles promise, read from themselves."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "images"
FILES = sorted([FOLDER / "Dockerfile", *FOLDER.glob("*.Dockerfile")])
sys.path.insert(0, str(FOLDER))

from catalogue import IMAGES  # noqa: E402


def stages(file: Path) -> dict[str, list[str]]:
    """Stage -> its instructions, those of the stages that it begins from included."""
    text = re.sub(r"\\\n", " ", "\n".join(line for line in file.read_text().splitlines() if not line.startswith("#")))
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if start := re.fullmatch(r"FROM (\S+) AS (\S+)", line):
            name = start[2]
            found[name] = list(found.get(start[1], []))
        elif name and line.strip():
            found[name].append(line.strip())
    return found


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_not_roots_and_says_what_it_is(name: str) -> None:
    instructions = stages(FOLDER / IMAGES[name].file)[name]
    assert [line for line in instructions if line.startswith("USER ")][-1] == "USER 1000:1000"
    assert not [line for line in instructions if line.startswith("RUN ")
                and instructions.index(line) > instructions.index("USER 1000:1000")]
    assert any(line.startswith("ENTRYPOINT [") for line in instructions)
    assert any(f'org.opencontainers.image.title="voxelhub-{name}"' in line for line in instructions)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_only_the_base_comes_from_elsewhere(file: Path) -> None:
    text = file.read_text()
    known = {"${BASE}"}
    for source, name in re.findall(r"^FROM (\S+)(?: AS (\S+))?", text, re.MULTILINE):
        assert source in known, f"{source} is neither the base nor a stage before"
        known.add(name)
    for copied in re.findall(r"--from=(\S+)", text):
        assert copied in known
    assert ":latest" not in text
    assert not re.search(r"https?://(?!hub:8081)|[a-z0-9-]+\.(io|com|org|net|internal)/", text), "no registry and no host"
    assert not re.search(r"^(ARG|ENV) .*(PASSWORD|TOKEN|SECRET|KEY)\b", text, re.MULTILINE)
    assert "# syntax" not in text, "would fetch a frontend from a registry"


@pytest.mark.parametrize("file", FILES[1:], ids=lambda file: file.name)
def test_what_is_shared_is_word_for_word_the_same(file: Path) -> None:
    """Or a build would not find the layers of another, and nodes would keep them twice."""
    first, other = stages(FILES[0]), stages(file)
    for name in {"base", "python", "core"} & other.keys():
        assert other[name] == first[name]


@pytest.mark.parametrize("script", sorted((FOLDER / "parts").glob("*.sh")), ids=lambda path: path.name)
def test_entrypoints_are_shell_that_sh_reads(script: Path) -> None:
    subprocess.run(["sh", "-n", str(script)], check=True)
    assert "set -eu" in script.read_text()
