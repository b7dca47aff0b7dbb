"""What stands in the crate of a run: who did what with what, when, and what came of it."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from .. import __version__
from .crate_graph import PARAMETER, PROCESS, Graph, Reference, ni, plain, urn, urn_of_digest
from .door_report import counts
from .facts import Facts, Piece, Source

MOST = 5000  # files that are listed one by one; of more, the version's manifest is named
STATUS = {"succeeded": "http://schema.org/CompletedActionStatus"}
FAILED = "http://schema.org/FailedActionStatus"
TYPES = {"boolean": "Boolean", "integer": "Integer", "number": "Float", "string": "Text", "array": "Text"}
MEDIA = {".dcm": "application/dicom", ".nii.gz": "application/gzip", ".nii": "application/octet-stream", ".csv": "text/csv"}
DOOR = "The door brings files in: it unpacks them, looks into each, and of clinical projects takes out what names patients."
JOINER = "Puts the tables of a batch together: a row for each item, in the order of the items."


@dataclass(frozen=True)
class Log:
    """What the run printed, in an archive."""

    path: str
    size: int
    sha256: str


def document(
    facts: Facts, agent: str, project: str, cleaned: Callable[[str], str], carried: Mapping[str, str],
    log: Log | None = None,
) -> dict[str, Any]:
    graph = Graph()
    title = f"{facts.label} of {project}: {_what(facts)}"
    graph.add(PROCESS, "CreativeWork", name="Process Run Crate", version="0.5")
    terms = graph.add("#terms", "CreativeWork", name="Terms of the data",
                      description="This record may be passed on. The data that it names keep the terms of their project.")
    person = graph.add(f"#{agent}", "Person", name=agent,
                       description="A person of this VoxelHub, under the pseudonym that all its records have for them.")
    tool = _tool(graph, facts)
    objects = _inputs(graph, facts, project) + _arguments(graph, facts)
    results = _outputs(graph, facts, project, carried)
    action = _action(graph, facts, title, cleaned, agent=person, instrument=tool, object=objects, result=results)
    graph.mention(action["@id"])
    if log is not None:
        graph.file(log.path, name="what the run printed", about=action, contentSize=str(log.size), sha256=log.sha256,
                   encodingFormat="text/plain")
    ended = facts.run.ended_at or facts.run.created_at
    return graph.document({
        "name": title, "description": f"How {facts.label} was made: inputs, tool, arguments and outputs by their SHA-256.",
        "datePublished": ended.isoformat(timespec="seconds"), "license": terms, "conformsTo": {"@id": PROCESS},
        "author": person, "publisher": graph.add("#voxelhub", "Organization", name="A VoxelHub installation"),
    })


def _what(facts: Facts) -> str:
    if facts.run.kind == "tool":
        return f"{facts.tool_title} {facts.run.tool_version or ''}".strip()
    return "joined table of a batch" if facts.run.kind == "join" else "import"


def _action(graph: Graph, facts: Facts, title: str, cleaned: Callable[[str], str], **parts: Any) -> Reference:
    run, times = facts.run, {name: _seconds(at) for name, at in facts.phases().items() if at is not None}
    more = [graph.value(f"#phase-{number}", f"phase: {name}", times[name], description="when it began (ISO 8601)")
            for number, name in enumerate(facts.phases(), 1) if name in times]
    if run.exit_code is not None:
        more.append(graph.value("#exit-code", "exit code", run.exit_code))
    if facts.record.get("attempts", 0) > 1:
        more.append(graph.value("#attempts", "attempts", facts.record["attempts"]))
    more += [graph.value(f"#door-{number}", name, value) for number, (name, value) in enumerate(counts(facts.report), 1)]
    return graph.add(
        urn(run.id), "CreateAction", name=title, description=_sentence(facts), startTime=times.get("stage in", times["queued"]),
        endTime=times.get("end"), actionStatus=STATUS.get(run.state, FAILED),
        error=_error(facts, cleaned), additionalProperty=more,
        resourceUsage=_usage(graph, facts.record.get("usage")), **parts)


def _error(facts: Facts, cleaned: Callable[[str], str]) -> str | None:
    """Why it ended without success. The words may be the tool's, which may have read them from its input: those of a clinical
    project stay inside."""
    run = facts.run
    if run.state not in ("failed", "cancelled"):
        return None
    if facts.project.open or run.state == "cancelled":
        return cleaned(run.reason)
    return f"It failed with exit code {run.exit_code}." if run.exit_code else "It failed."


def _seconds(at: str) -> str:
    return datetime.fromisoformat(at).isoformat(timespec="seconds")


def _sentence(facts: Facts) -> str:
    how = {"succeeded": "It succeeded.", "failed": "It failed.", "cancelled": "It was cancelled."}.get(facts.run.state, "")
    if facts.run.kind != "tool":
        return f"{DOOR if facts.run.kind == 'import' else JOINER} {how}".strip()
    return f"{facts.tool_title} {facts.run.tool_version} ran on {len(facts.sources)} inputs. {how}".strip()


def _usage(graph: Graph, usage: Any) -> list[Reference]:
    known = usage if isinstance(usage, dict) else {}
    units = (("cpu_seconds", "processor time", "s"), ("peak_memory", "most memory", "bytes"), ("output", "written", "bytes"))
    return [graph.value(f"#usage-{key}", name, known[key], unitText=unit) for key, name, unit in units if known.get(key)]


def _tool(graph: Graph, facts: Facts) -> Reference:
    run, manifest = facts.run, facts.manifest
    if run.kind != "tool":
        name, what = ("VoxelHub's door", DOOR) if run.kind == "import" else ("VoxelHub's join of tables", JOINER)
        id = urn_of_digest(hashlib.sha256(f"{name} {__version__}".encode()).hexdigest())
        return graph.add(id, "SoftwareApplication", name=name, softwareVersion=__version__, description=what)
    environment = _environment(graph, facts.environment)
    id = urn_of_digest(run.tool_digest) if run.tool_digest else f"#tool-{run.tool}"
    return graph.add(
        id, "SoftwareApplication", name=facts.tool_title, alternateName=run.tool, softwareVersion=run.tool_version,
        description=manifest.get("description"), url=manifest.get("homepage"), license=manifest.get("licence"),
        citation=manifest.get("citation"), author=_authors(graph, manifest), sha256=run.tool_digest,
        softwareRequirements=environment, input=_parameters(graph, facts, "input") + _settings(graph, facts),
        output=_parameters(graph, facts, "output"))


def _authors(graph: Graph, manifest: Mapping[str, Any]) -> list[Reference]:
    """Those who made the tool, as its manifest publishes them."""
    return [graph.add(f"https://orcid.org/{one['orcid']}" if one.get("orcid") else f"#author-{number}", "Person",
                      name=one["name"], affiliation=one.get("affiliation"))
            for number, one in enumerate(manifest.get("authors", []), 1)]


def _environment(graph: Graph, environment: Mapping[str, Any]) -> Reference | None:
    if not environment.get("name"):
        return None
    python = f"Python {environment['python']}" if environment.get("python") else None
    digest = environment.get("digest")
    return graph.add(
        urn_of_digest(digest) if digest else "#environment", "SoftwareApplication", name=f"environment {environment['name']}",
        runtimePlatform=python, softwareVersion=digest or "unknown", sha256=digest,
        description="The packages of the lock file with this SHA-256, each pinned by its own digest.")


def _parameters(graph: Graph, facts: Facts, kind: str) -> list[Reference]:
    """The tool's inputs or outputs, as its manifest declares them."""
    return [graph.add(f"#{kind}-{one['name']}", "FormalParameter", name=one["name"], description=one.get("title"),
                      additionalType="File" if kind == "output" else "Collection", conformsTo={"@id": PARAMETER})
            for one in facts.manifest.get(f"{kind}s", [])]


def _settings(graph: Graph, facts: Facts) -> list[Reference]:
    properties = facts.manifest.get("arguments", {}).get("properties", {})
    required = facts.manifest.get("arguments", {}).get("required", [])
    return [graph.add(f"#parameter-{name}", "FormalParameter", name=name, additionalType=TYPES.get(str(spec.get("type")), "Text"),
                      description=spec.get("description") or spec.get("title"), valueRequired=name in required or None,
                      defaultValue=plain(spec["default"]) if "default" in spec else None, conformsTo={"@id": PARAMETER})
            for name, spec in properties.items()]


def _arguments(graph: Graph, facts: Facts) -> list[Reference]:
    known = facts.manifest.get("arguments", {}).get("properties", {})
    return [graph.value(f"#argument-{name}", name, value,
                        exampleOfWork={"@id": f"#parameter-{name}"} if name in known else None)
            for name, value in facts.run.arguments.items()]


def _inputs(graph: Graph, facts: Facts, project: str) -> list[Reference]:
    found = [_source(graph, facts, replace(one, project=project if one.project else "")) for one in facts.sources]
    found += [_file(graph, one, f"file {number} as it arrived") for number, one in enumerate(facts.arrived[:MOST], 1)]
    if facts.upload is not None and facts.upload.origin:
        found.append(graph.value("#origin", "host that the files came from", facts.upload.origin))
    return found


def _source(graph: Graph, facts: Facts, source: Source) -> Reference:
    declared = any(one["name"] == source.role for one in facts.manifest.get("inputs", []))
    work = {"@id": f"#input-{source.role}"} if declared else None
    version = _version(graph, source.version_id, source.place, source.digest)
    pieces = source.files[:MOST]
    files = [_file(graph, one, one.path, isPartOf=version) for one in pieces]
    if len(files) == 1 and len(source.files) == 1:
        return graph.file(files[0]["@id"], exampleOfWork=work)
    return graph.collection(urn(source.entry), name=f"entry of {source.place}",
                            description=_listed(source.files), hasPart=files, isPartOf=version, exampleOfWork=work)


def _outputs(graph: Graph, facts: Facts, project: str, carried: Mapping[str, str]) -> list[Reference]:
    result = facts.result
    if result is None:
        return []
    version = _version(graph, result.version_id, f"{project}/{result.dataset}, version {result.version}", result.digest)
    declared = {one["name"] for one in facts.manifest.get("outputs", [])}
    files = [_file(graph, one, one.path, carried.get(one.sha256), isPartOf=version,
                   exampleOfWork={"@id": f"#output-{one.role}"} if one.role in declared else None) for one in result.files[:MOST]]
    graph.add(version["@id"], "Collection", hasPart=files,
              description=_listed(result.files) if result.files else "Its files were deleted for good.")
    return [version, *files] if files else [version]


def _listed(files: Sequence[Piece]) -> str:
    count = f"{len(files):,} {'file' if len(files) == 1 else 'files'}"
    return f"{count}; the first {MOST:,} are listed, all are in the version's manifest." if len(files) > MOST else f"{count}."


def _version(graph: Graph, id: str, place: str, digest: str) -> Reference:
    return graph.collection(
        urn(id) if id else urn_of_digest(digest), name=place, sha256=digest,
        identifier=f"sha256:{digest}", mainEntity=graph.file(
            ni(digest), name=f"manifest of {place}", sha256=digest, encodingFormat="text/plain",
            description="A line for each file of the version, which `sha256sum -c` checks."))


def _file(graph: Graph, piece: Piece, name: str, carried: str | None = None, **more: Any) -> Reference:
    id = quote(carried) if carried else ni(piece.sha256)
    return graph.file(id, name=name, sha256=piece.sha256, contentSize=str(piece.size), encodingFormat=_media_type(name), **more)


def _media_type(name: str) -> str:
    known = next((kind for ending, kind in MEDIA.items() if name.lower().endswith(ending)), None)
    return known or mimetypes.guess_type(name)[0] or "application/octet-stream"
