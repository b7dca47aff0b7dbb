"""A tool for tests of runs: it does what its arguments say, in the environment of a tool that ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MANIFEST: dict[str, Any] = {
    "manifest": 1, "name": "probe", "version": "1.0", "title": "Probe", "description": "Does what a test wants.",
    "inputs": [{"name": "volume", "title": "Volume", "accepts": [{"data_type": "*", "file_format": "*"}], "maximum": 5}],
    "arguments": {"type": "object", "properties": {
        "sleep": {"type": "number", "title": "Sleep", "default": 0, "minimum": 0, "maximum": 600},
        "code": {"type": "integer", "title": "Exit code", "default": 0},
        "script": {"type": "string", "title": "Python to run", "default": ""},
    }},
    "outputs": [{"name": "table", "title": "Table", "data_type": "table", "file_format": "csv", "path": "*.csv"}],
    "resources": {"cpu": 1, "memory": 256 * 1024**2, "time": 120, "output": {"base": 4 * 1024**2, "per_input_byte": 1}},
    "environment": "tool-dicom-to-nifti",
    "command": [
        "python", "probe.py", "{arguments.sleep}", "{arguments.code}", "{arguments.script}", "{output}", "{inputs.volume}",
    ],
}
PROGRAM = '''
import hashlib, os, sys, time
sleep, code, script, output, *inputs = sys.argv[1:]
print("begins", flush=True)
rows = []
for path in inputs:
    files = [path] if os.path.isfile(path) else [os.path.join(d, n) for d, _, names in os.walk(path) for n in names]
    for one in sorted(files):
        rows.append(f"{os.path.relpath(one, '/inputs')},{hashlib.sha256(open(one, 'rb').read()).hexdigest()}")
exec(script)
end = time.monotonic() + float(sleep)
while time.monotonic() < end:
    print(f"::progress {max(0, 1 - (end - time.monotonic()) / float(sleep)):.2f} sleeping", flush=True)
    time.sleep(0.1)
open(os.path.join(output, "result.csv"), "w").write("path,sha256\\n" + "\\n".join(rows) + "\\n")
print("ends", flush=True)
sys.exit(int(code))
'''


def write_probe(folder: Path, **changes: Any) -> Path:
    """A folder of tools that holds this one; `changes` replace parts of its manifest."""
    (folder / "probe").mkdir(parents=True, exist_ok=True)
    (folder / "probe" / "tool.json").write_text(json.dumps(MANIFEST | changes))
    (folder / "probe" / "probe.py").write_text(PROGRAM)
    return folder
