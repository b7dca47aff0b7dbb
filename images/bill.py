"""The bill of materials of an image: what its files say is installed, as CycloneDX 1.5.

Debian's packages from dpkg, Python's distributions from each environment, npm's packages, what a built page of ours
or of others carries of npm (third-party-licenses.json), Java and its archives. Nothing is asked of the network.

    python3 images/bill.py FOLDER NAME VERSION     FOLDER: the root of the image's files
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import quote

PLACES = ("opt", "usr/local", "usr/lib/python3")
# A jar of Keycloak is called <group>.<artifact>-<version>.jar, which does not say where the group ends.
JAR = re.compile(r"(?P<name>.+?)-(?P<version>\d[\w.+-]*)")


@dataclass(frozen=True)
class Part:
    """One component; two with the same purl are the same, found in more than one place."""

    purl: str
    name: str
    version: str
    licences: tuple[str, ...] = ()
    places: tuple[str, ...] = field(default=(), compare=False)


def bill_of_materials(root: Path, name: str, version: str) -> str:
    parts: dict[str, Part] = {}
    for source in SOURCES:
        for part in source(root):
            seen = parts.get(part.purl)
            parts[part.purl] = Part(part.purl, part.name, part.version, part.licences or (seen.licences if seen else ()),
                                    tuple(sorted({*part.places, *(seen.places if seen else ())})))
    components = [_component(parts[key]) for key in sorted(parts)]
    serial = uuid.UUID(hashlib.sha256(json.dumps([name, version, components]).encode()).hexdigest()[:32], version=5)
    return json.dumps({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": f"urn:uuid:{serial}", "version": 1,
        "metadata": {"component": {"type": "container", "bom-ref": name, "name": name, "version": version}},
        "components": components,
    }, indent=1) + "\n"


def _component(part: Part) -> dict[str, object]:
    said: dict[str, object] = {"type": "library", "bom-ref": part.purl, "name": part.name, "version": part.version,
                               "purl": part.purl}
    if part.licences:
        said["licenses"] = [{"license": {"name": licence}} for licence in part.licences]
    if part.places:
        said["properties"] = [{"name": "voxelhub:place", "value": place} for place in part.places]
    return said


def debian(root: Path) -> Iterator[Part]:
    status = root / "var/lib/dpkg/status"
    for paragraph in (status.read_text() if status.exists() else "").split("\n\n"):
        package = HeaderParser().parsestr(paragraph)
        if package["Package"] and package["Status"] and package["Status"].endswith(" installed"):
            name, version = package["Package"], package["Version"]
            yield Part(f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={package['Architecture']}", name, version,
                       _copyright(root / "usr/share/doc" / name / "copyright"))


def _copyright(file: Path) -> tuple[str, ...]:
    """The short names that a machine-readable copyright file gives; the others are prose."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return ()
    if not text.lstrip().startswith("Format:"):
        return ()
    return tuple(sorted({name.strip() for name in re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)}))


def python(root: Path) -> Iterator[Part]:
    for metadata in _found(root, "*.dist-info/METADATA"):
        said = HeaderParser().parsestr(metadata.read_text(errors="replace"))
        name, version = re.sub(r"[-_.]+", "-", said["Name"] or "").lower(), said["Version"] or ""
        licence = said["License-Expression"] or ""
        if not licence:
            classified = [line.split(" :: ")[-1] for line in said.get_all("Classifier", []) if line.startswith("License :: ")]
            short = (said["License"] or "").strip()
            licence = "; ".join(classified) or (short if "\n" not in short else "")
        if name:
            yield Part(f"pkg:pypi/{quote(name)}@{quote(version)}", name, version, (licence,) if licence else (),
                       (str(metadata.parent.parent.relative_to(root)),))


def npm(root: Path) -> Iterator[Part]:
    for file in _found(root, "node_modules/**/package.json"):
        if file.parent.parent.name == "node_modules" or file.parent.parent.name.startswith("@"):
            said = _json(file)
            if isinstance(said, dict) and said.get("name") and said.get("version"):
                licence = said.get("license")
                yield _npm(said["name"], said["version"], licence if isinstance(licence, str) else "", file.parent, root)


def pages(root: Path) -> Iterator[Part]:
    """The npm packages within built JavaScript; JupyterLab's builder lists them beside it."""
    for file in _found(root, "third-party-licenses.json"):
        said = _json(file)
        for package in said.get("packages", []) if isinstance(said, dict) else []:
            if package.get("name") and package.get("versionInfo"):
                yield _npm(package["name"], package["versionInfo"], package.get("licenseId") or "", file.parent, root)


def _npm(name: str, version: str, licence: str, folder: Path, root: Path) -> Part:
    scope, _, bare = name.rpartition("/")
    return Part(f"pkg:npm/{quote(scope) + '/' if scope else ''}{quote(bare)}@{quote(version)}", name, version,
                (licence,) if licence else (), (str(folder.relative_to(root)),))


def java(root: Path) -> Iterator[Part]:
    for file in _found(root, "release"):
        if found := re.search(r'^JAVA_VERSION="(.+)"', file.read_text(errors="replace"), re.MULTILINE):
            yield Part(f"pkg:generic/openjdk@{found[1]}", "openjdk", found[1], ("GPL-2.0 with classpath exception",),
                       (str(file.parent.relative_to(root)),))
    for file in _found(root, "*.jar"):
        if found := JAR.fullmatch(file.stem):
            yield Part(f"pkg:generic/{quote(found['name'])}@{quote(found['version'])}", found["name"], found["version"], (),
                       (str(file.parent.relative_to(root)),))


def _found(root: Path, pattern: str) -> Iterator[Path]:
    for place in PLACES:
        yield from sorted(path for path in (root / place).rglob(pattern) if path.is_file() and not path.is_symlink())


def _json(file: Path) -> object:
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


SOURCES: tuple[Callable[[Path], Iterator[Part]], ...] = (debian, python, npm, pages, java)

if __name__ == "__main__":
    sys.stdout.write(bill_of_materials(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
