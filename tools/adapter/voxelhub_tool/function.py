"""A Python function as a tool: `@tool` gives it the standard command line."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from .handover import HandoverError, Inputs, Output, options, read_handover, write_json
from .speaking import log_to, note, tell_error

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[[Inputs, dict[str, Any], Output], Any]


def tool(function: Function) -> Callable[..., Any]:
    """Called with its three parameters it is the function, as in a test; called with none it answers the command line."""

    @functools.wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        if given or named:
            return function(*given, **named)
        return sys.exit(_run(function))

    return called


def _run(function: Function) -> int:
    wanted = options((function.__doc__ or function.__name__).strip(), manifest=False).parse_args()
    log_to(wanted.log_file)
    try:
        handover = read_handover(wanted.config, wanted.in_metadata)
    except HandoverError as wrong:
        tell_error(str(wrong))
        return 2
    function(handover.inputs, handover.arguments, handover.output)
    described = list(handover.output.described.values())
    write_json(wanted.out_metadata, {"output_files": described})
    note(f"{function.__name__} ended; it described {len(described)} of its files.")
    return 0
