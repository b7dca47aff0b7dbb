"""The bill of materials lists what an image's files say, and is CycloneDX as its readers expect it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "images"))

from bill import bill_of_materials  # noqa: E402

# What CycloneDX 1.5 demands of the parts of it that we use, and nothing beside them.
CYCLONEDX: dict[str, Any] = {
    "type": "object", "additionalProperties": False, "required": ["bomFormat", "specVersion", "serialNumber", "components"],
    "properties": {
        "bomFormat": {"const": "CycloneDX"}, "specVersion": {"const": "1.5"}, "version": {"type": "integer", "minimum": 1},
        "serialNumber": {"pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
        "metadata": {"type": "object", "additionalProperties": False, "properties": {"component": {"$ref": "#/$defs/component"}}},
        "components": {"type": "array", "uniqueItems": True, "items": {"$ref": "#/$defs/component"}},
    },
    "$defs": {"component": {
        "type": "object", "additionalProperties": False, "required": ["type", "name"], "properties": {
            "type": {"enum": ["library", "container"]}, "bom-ref": {"type": "string", "minLength": 1},
            "name": {"type": "string", "minLength": 1}, "version": {"type": "string"},
            "purl": {"pattern": "^pkg:[a-z]+/[^@ ]+@[^@ ]+$"},
            "licenses": {"type": "array", "items": {"type": "object", "additionalProperties": False, "required": ["license"],
                         "properties": {"license": {"type": "object", "required": ["name"], "additionalProperties": False,
                                                    "properties": {"name": {"type": "string", "minLength": 1}}}}}},
            "properties": {"type": "array", "items": {"type": "object", "required": ["name", "value"]}},
        }}},
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "var/lib/dpkg/status", (
        "Package: tini\nStatus: install ok installed\nArchitecture: amd64\nVersion: 0.19.0-1\nDescription: init\n more\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
        "Package: libstdc++6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:12.2.0-14+deb12u1\n"))
    write(tmp_path / "usr/share/doc/tini/copyright", "Format: https://x\n\nFiles: *\nLicense: Expat\n text\n\n"
          "License: Expat\n text\n")
    write(tmp_path / "usr/share/doc/libstdc++6/copyright", "Prose about the\nLicense: of GCC\n")
    site = "opt/voxelhub/.envs/{}/lib/python3.11/site-packages/"
    for env in ("core", "ocr"):
        write(tmp_path / site.format(env) / "typing_extensions-4.1.dist-info/METADATA",
              "Metadata-Version: 2.4\nName: typing_extensions\nVersion: 4.1\nLicense-Expression: PSF-2.0\n\nText\n")
    write(tmp_path / site.format("core") / "old-2.dist-info/METADATA",
          "Name: Old\nVersion: 2\nLicense: a text\n  of lines\nClassifier: License :: OSI Approved :: MIT License\n\n")
    modules = tmp_path / "opt/voxelhub/node_modules"
    write(modules / "ws/package.json", '{"name": "ws", "version": "8.1.0", "license": "MIT"}')
    write(modules / "@a/b/package.json", '{"name": "@a/b", "version": "1.0.0"}')
    write(modules / "ws/test/package.json", '{"name": "no-package-of-ours", "version": "9"}')
    write(modules / "broken/package.json", "{")
    write(tmp_path / "opt/voxelhub/dist-lab/static/third-party-licenses.json",
          json.dumps({"packages": [{"name": "ws", "versionInfo": "8.1.0", "licenseId": "MIT"},
                                   {"name": "three", "versionInfo": "0.1.0", "licenseId": "MIT"}]}))
    write(tmp_path / "opt/java/release", 'JAVA_VERSION="21.0.8"\nMODULES="java.base"\n')
    write(tmp_path / "opt/keycloak/lib/org.h2.h2-2.3.230.jar", "")
    return tmp_path


def test_everything_that_is_there_is_listed_once(root: Path) -> None:
    said = json.loads(bill_of_materials(root, "voxelhub-hub", "0.1.0"))
    jsonschema.validate(said, CYCLONEDX)
    by_purl = {part["purl"]: part for part in said["components"]}
    assert sorted(by_purl) == [
        "pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14%2Bdeb12u1?arch=amd64", "pkg:deb/debian/tini@0.19.0-1?arch=amd64",
        "pkg:generic/openjdk@21.0.8", "pkg:generic/org.h2.h2@2.3.230", "pkg:npm/%40a/b@1.0.0", "pkg:npm/three@0.1.0",
        "pkg:npm/ws@8.1.0", "pkg:pypi/old@2", "pkg:pypi/typing-extensions@4.1"]
    licences = {purl.split("@")[0].rsplit("/", 1)[-1]: [each["license"]["name"] for each in part.get("licenses", [])]
                for purl, part in by_purl.items()}
    assert licences["tini"] == ["Expat"]
    assert licences["libstdc%2B%2B6"] == [], "prose is not guessed at"
    assert licences["typing-extensions"] == ["PSF-2.0"]
    assert licences["old"] == ["MIT License"]
    assert [each["value"] for each in by_purl["pkg:pypi/typing-extensions@4.1"]["properties"]] == [
        "opt/voxelhub/.envs/core/lib/python3.11/site-packages", "opt/voxelhub/.envs/ocr/lib/python3.11/site-packages"]
    assert len(by_purl["pkg:npm/ws@8.1.0"]["properties"]) == 2


def test_the_same_files_give_the_same_bill(root: Path) -> None:
    first = bill_of_materials(root, "voxelhub-hub", "0.1.0")
    assert bill_of_materials(root, "voxelhub-hub", "0.1.0") == first
    (root / "opt/java/release").unlink()
    serials = [re.search(r'"serialNumber": "(.+?)"', text) for text in (first, bill_of_materials(root, "voxelhub-hub", "0.1.0"))]
    assert serials[0] and serials[1] and serials[0][1] != serials[1][1]


def test_a_folder_without_anything_is_an_empty_bill(tmp_path: Path) -> None:
    said = json.loads(bill_of_materials(tmp_path, "x", "1"))
    jsonschema.validate(said, CYCLONEDX)
    assert said["components"] == []
