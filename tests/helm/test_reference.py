"""values.schema.yaml is the one source of the schema, of values.yaml and of the reference page."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest
import yaml
from support.helm import CHART
from support.installation import ROOT


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chart_reference", ROOT / "helm" / "reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves(properties: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for key, node in properties.items():
        yield (*above, key), node
        if "default" not in node:
            yield from leaves(node["properties"], (*above, key))


def test_what_is_made_from_the_source_is_as_the_source_says(reference: ModuleType) -> None:
    assert reference.main(["--check"]) == 0


def test_every_value_has_a_meaning_a_kind_and_a_default(reference: ModuleType) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for path, node in leaves(reference.source()["properties"]):
        assert node["description"].endswith((".", "”", "`")), path
        found = values
        for key in path:
            found = found[key]
        if "default" in node:
            assert found == node["default"], path
            assert "type" in node or "enum" in node, path
        else:
            assert node["type"] == "object" and node["additionalProperties"] is False, path


def test_values_yaml_has_no_value_beside_the_source(reference: ModuleType) -> None:
    def names(values: Mapping[str, Any], node: Mapping[str, Any]) -> None:
        assert set(values) == set(node["properties"])
        for key, part in node["properties"].items():
            if "default" not in part:
                names(values[key], part)

    names(yaml.safe_load((CHART / "values.yaml").read_text()), reference.source())


def test_the_page_names_every_value(reference: ModuleType) -> None:
    page = (ROOT / "docs" / "helm-values.md").read_text()
    named = set(re.findall(r"^\| \**`([A-Za-z.]+)`", page, re.MULTILINE))
    assert {".".join(path) for path, _ in leaves(reference.source()["properties"])} <= named


def test_every_value_is_used_by_a_template(reference: ModuleType) -> None:
    """A value that nothing reads promises something."""
    templates = "\n".join(path.read_text() for path in (CHART / "templates").rglob("*") if path.is_file())
    words = set(re.findall(r"\.([A-Za-z]+)", templates))
    whole = {"cull", "gpus", "limits", "guarantee", "profiles", "resources"}  # handed to the hub as they are
    unused = [".".join(path) for path, node in leaves(reference.source()["properties"])
              if "default" in node and path[-1] not in words and not whole & set(path)]
    assert unused == ["global"]


def test_the_schema_that_helm_reads_knows_the_settings_of_the_service(reference: ModuleType) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    allowed = set(schema["properties"]["settings"]["properties"])
    assert {"trash_days", "clamd", "project_quota"} <= allowed
    assert not allowed & reference.OWNED
    assert {f.name for f in reference.fields(reference.Settings)} >= reference.OWNED
