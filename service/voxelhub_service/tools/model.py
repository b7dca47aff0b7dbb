"""What a tool is, once its manifest was checked (manifest.py makes it). Sizes are bytes, times are seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .arguments import complete
from .expansion import expand

Interface = Literal["arguments", "files", "notebook"]


@dataclass(frozen=True)
class Input:
    name: str
    title: str
    description: str
    accepts: tuple[tuple[str, str], ...]  # (data type, file format); "*" stands for everything
    minimum: int
    maximum: int

    def takes(self, data_type: str, file_format: str) -> bool:
        return any(t in ("*", data_type) and f in ("*", file_format) for t, f in self.accepts)


@dataclass(frozen=True)
class OutputSpec:
    name: str
    title: str
    data_type: str  # a term, or "" when it follows an input
    like: str  # that input
    file_format: str
    path: str
    required: bool
    multiple: bool = True
    description: str = ""
    meta: dict[str, str | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Resources:
    cpu: float
    memory: int
    time: int
    pids: int
    gpu: int
    output_base: int
    output_per_input_byte: float

    def output(self, input_size: int) -> int:
        """Bytes a run with inputs of this size may write."""
        return self.output_base + int(self.output_per_input_byte * input_size)


@dataclass(frozen=True)
class Author:
    name: str
    orcid: str = ""
    affiliation: str = ""


@dataclass(frozen=True)
class Security:
    """What a tool with network says that it does there. The sandbox gives it the machine's network, not only these hosts."""

    reaches: tuple[str, ...]
    sends: str


@dataclass(frozen=True)
class Termination:
    grace: float = 3.0  # between SIGTERM and SIGKILL
    on_time_limit: Literal["fail", "finish"] = "fail"


@dataclass(frozen=True)
class Benchmark:
    task: str
    metrics: tuple[str, ...]
    output: str
    reference: str = ""


@dataclass(frozen=True)
class Manifest:
    name: str
    version: str
    title: str
    description: str
    keywords: tuple[str, ...]
    inputs: tuple[Input, ...]
    arguments: dict[str, Any]  # JSON Schema 2020-12; an `x-file` has become an `enum` of the folder's files
    outputs: tuple[OutputSpec, ...]
    resources: Resources
    environment: str
    network: bool
    command: tuple[str, ...]  # empty for a notebook
    folder: Path = field(compare=False)
    digest: str = ""
    combinations: tuple[frozenset[str], ...] = ()
    interface: Interface = "arguments"
    notebook: str = ""
    lock: str = ""
    licence: str = ""
    citation: str = ""
    authors: tuple[Author, ...] = ()
    homepage: str = ""
    security: Security | None = None
    account: str = ""
    termination: Termination = Termination()
    pre_start: tuple[tuple[str, ...], ...] = ()
    benchmark: Benchmark | None = None

    def input(self, name: str) -> Input | None:
        return next((one for one in self.inputs if one.name == name), None)

    def with_defaults(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the tool gets them; raises ArgumentError with a sentence for the user."""
        return complete(self.arguments, arguments)

    def expand(self, inputs: Mapping[str, Sequence[str]], arguments: Mapping[str, Any], output: str) -> list[str]:
        """The command as a list; an argument without value leaves no element behind."""
        return expand(self.command, inputs, arguments, output)
