"""Runs a decoder in a child of its own: GDCM 3.2 ends its whole process (std::terminate) over some damaged JPEG streams."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def isolated(decode: Callable[[], tuple[Array, str]]) -> tuple[Array, str] | None:
    """What `decode` returns, pixels and a word about them; None when it raises or its process dies. It prints nowhere."""
    inward, outward = os.pipe()
    child = os.fork()
    if child == 0:
        _child(decode, outward)
    os.close(outward)
    with os.fdopen(inward, "rb") as stream:
        head, data = stream.readline(), stream.read()
    _, status = os.waitpid(child, 0)
    if status != 0 or not head.endswith(b"\n"):
        return None
    facts = json.loads(head)
    kind = np.dtype(facts["kind"])
    if len(data) != int(np.prod(facts["shape"])) * kind.itemsize:
        return None
    return np.frombuffer(bytearray(data), kind).reshape(facts["shape"]), str(facts["word"])


def _child(decode: Callable[[], tuple[Array, str]], outward: int) -> None:
    """Never returns, and runs nothing that the parent has left to do at its end."""
    code = 1
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        decoded, word = decode()
        array = np.ascontiguousarray(decoded)
        with os.fdopen(outward, "wb") as stream:
            stream.write(json.dumps({"kind": array.dtype.str, "shape": array.shape, "word": word}).encode() + b"\n")
            stream.write(array.data)
        code = 0
    finally:
        os._exit(code)
