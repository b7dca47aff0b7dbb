#!/usr/bin/env python3
"""Check an exported audit log of VoxelHub, or one record's proof, with nothing of VoxelHub.

    python verify_audit.py EXPORT [--origin voxelhub/<first key>] [--against PATH]

EXPORT is the ZIP of `voxelhub audit export`, the folder it was unpacked to, or the JSON of `voxelhub audit prove`. Give
`--origin` what you know from elsewhere: without it you learn only that the log agrees with itself. `--against` is a folder or
text file with checkpoints that you kept apart. Needs Python 3.11 and the package `cryptography` (for Ed25519). The rules are
in the export's README.md; this file is written from them. Exit code 0: nothing was changed; 1: something was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import zipfile
import zlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ZEROS = "0" * 64
RECORD = {"action", "actor", "at", "detail", "event_id", "mac", "outcome", "previous", "resource", "seq", "signature"}
CHECKPOINT = {"key", "origin", "previous", "root", "signature", "size", "time"}
KEY = {"key", "previous", "public", "signature", "time"}
EXPORT = {"checkpoints", "files", "format", "key", "origin", "records", "signature", "time"}
PROOF = {"checkpoint", "consistency", "earlier", "format", "inclusion", "keys", "leaf", "record", "signature"}
LONGEST = 10_000_000  # bytes of a line


class Wrong(Exception):
    """The first thing that is not as it was written."""


def wrong(sentence):
    raise Wrong(sentence)


def load(text, shapes, what):
    """A JSON object whose members are one of these sets, none twice at any depth."""
    def once(pairs):
        names = [name for name, _ in pairs]
        return dict(pairs) if len(set(names)) == len(names) else wrong(f"{what} has a member twice.")

    try:
        document = json.loads(text, object_pairs_hook=once)
    except (RecursionError, ValueError):
        wrong(f"{what} is no JSON.")
    if not isinstance(document, dict) or set(document) not in shapes:
        wrong(f"{what} has other members than it should.")
    return document


def plain(document):
    """The canonical JSON of a document of ASCII texts, whole numbers and objects of these."""
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def signed(public, kind, message, signature):
    try:
        raw = bytes.fromhex(signature)
        public.verify(raw, f"voxelhub audit {kind} v1\n".encode() + message)
        return raw.hex() == signature
    except (InvalidSignature, TypeError, ValueError):
        return False


def sha256(data):
    return hashlib.sha256(data).digest()


class Tree:
    """The growing tree: the roots of its perfect subtrees, the largest first."""

    def __init__(self):
        self.size, self.parts = 0, []

    def add(self, leaf):
        size, self.size = self.size, self.size + 1
        self.parts.append(sha256(b"\0" + leaf))
        while size & 1:
            right = self.parts.pop()
            self.parts.append(sha256(b"\1" + self.parts.pop() + right))
            size >>= 1

    def root(self):
        root = self.parts[-1] if self.parts else sha256(b"")
        for part in self.parts[-2::-1]:
            root = sha256(b"\1" + part + root)
        return root.hex()


def check_keys(lines):
    """key id -> (position, public key)"""
    keys, before = {}, None
    for number, line in enumerate(lines, 1):
        what = f"Public key {number}"
        document = load(line, [KEY], what)
        signature = document["signature"]
        if plain(document) != line:
            wrong(f"{what} is not in canonical form.")
        unsigned = plain({name: value for name, value in document.items() if name != "signature"})
        try:
            raw = bytes.fromhex(document["public"])
            public = Ed25519PublicKey.from_public_bytes(raw)
        except (TypeError, ValueError):
            wrong(f"{what} is no key.")
        if sha256(raw).hex()[:16] != document["key"] or document["previous"] != (before[0] if before else ""):
            wrong(f"{what} does not follow the one before it.")
        if not signed(before[1] if before else public, "key", unsigned, signature):
            wrong(f"{what} is not signed by the one before it.")
        before = (document["key"], public)
        keys[document["key"]] = (number - 1, public)
    return keys or wrong("There is no public key.")


class Records:
    """Takes the lines of records in order."""

    def __init__(self, keys):
        self.keys, self.tree, self.mac, self.key = keys, Tree(), ZEROS, None

    def take(self, line):
        seq = self.tree.size + 1
        what = f"Record {seq}"
        record, leaf = record_of(line, what)
        if record["seq"] != seq:
            wrong(f"{what} is missing: the next one is {record['seq']}.")
        if record["previous"] != self.mac:
            wrong(f"{what} does not follow the one before it.")
        self._signature(record, leaf, what)
        self.tree.add(leaf)
        self.mac, self.key = record["mac"], record.get("key")

    def _signature(self, record, leaf, what):
        key = record.get("key")
        if key is None:
            if self.key is not None or record["signature"] is not None:
                wrong(f"{what} is not signed, although signing had begun before it.")
            return
        if key not in self.keys or not signed(self.keys[key][1], "record", leaf, record["signature"]):
            wrong(f"{what} was changed: its signature is wrong.")
        place = self.keys[key][0]
        if self.key is None:
            begins = record["action"] == "audit.sign_begin" and record["detail"] == {"unsigned": record["seq"] - 1}
            if place != 0 or not (record["seq"] == 1 or begins):
                wrong(f"{what} is signed, the one before it is not, and no record says that signing begins here.")
        elif key != self.key and (place != self.keys[self.key][0] + 1 or record["action"] != "audit.key_rotate"):
            wrong(f"{what} is signed with another key, and no record says that the key changes here.")


def record_of(line, what):
    """The record and its leaf: the line without its last member, the signature."""
    found = re.fullmatch(rb'(\{.*),"signature":(?:"[0-9a-f]{128}"|null)\}', line, re.DOTALL)
    if not found:
        wrong(f"{what} was changed: it has no signature where it should.")
    record = load(line, [RECORD, RECORD | {"key"}], what)
    if type(record["seq"]) is not int or not isinstance(record["mac"], str):
        wrong(f"{what} was changed: it is no record.")
    return record, found[1] + b"}"


def check_checkpoint(line, keys, what):
    """The checkpoint, if one of the keys has signed it."""
    document = load(line, [CHECKPOINT], what)
    if plain(document) != line or type(document["size"]) is not int:
        wrong(f"{what} is not in canonical form.")
    unsigned = plain({name: value for name, value in document.items() if name != "signature"})
    key = keys.get(document["key"])
    if key is None or not signed(key[1], "checkpoint", unsigned, document["signature"]):
        wrong(f"{what} was changed: its signature is wrong.")
    if document["origin"] != f"voxelhub/{next(iter(keys))}":
        wrong(f"{what} is of another log.")
    return document


def check_log(record_lines, checkpoint_lines, keys):
    """Records and checkpoints side by side; the newest checkpoint."""
    records, before, number, last = Records(keys), None, 0, None
    for number, line in enumerate(checkpoint_lines, 1):
        what = f"Checkpoint {number}"
        checkpoint = check_checkpoint(line, keys, what)
        if checkpoint["previous"] != (sha256(before).hex() if before else ZEROS) or checkpoint["size"] <= records.tree.size:
            wrong(f"{what} does not follow the one before it.")
        while records.tree.size < checkpoint["size"]:
            next_line = next(record_lines, None)
            if next_line is None:
                wrong(f"The log was truncated: it has {records.tree.size} records, {what} covers {checkpoint['size']}.")
            records.take(next_line)
        if checkpoint["root"] != records.tree.root():
            wrong(f"The first {checkpoint['size']} records are not those over which {what} was signed.")
        if checkpoint["key"] != (records.key or next(iter(keys))):
            wrong(f"{what} is signed with another key than the record that it ends with.")
        before, last = line, checkpoint
    if next(record_lines, None) is not None:
        wrong(f"Record {records.tree.size + 1} is covered by no checkpoint.")
    return last or wrong("There is no checkpoint."), number


class Export:
    """A ZIP or a folder; digests what is read from it."""

    NAMES = ("README.md", "checkpoints.jsonl", "export.json", "keys.jsonl", "records.jsonl")

    def __init__(self, path):
        self.path, self.digests = path, {}
        self.zip = None if path.is_dir() else zipfile.ZipFile(path)
        names = sorted(self.zip.namelist() if self.zip else (one.name for one in path.iterdir()))
        if names != sorted(self.NAMES):
            wrong(f"An export holds {', '.join(self.NAMES)}; this one {', '.join(names) or 'nothing'}.")

    def lines(self, name):
        digest = hashlib.sha256()
        with self.zip.open(name) if self.zip else (self.path / name).open("rb") as file:
            while line := file.readline(LONGEST):
                digest.update(line)
                if not line.endswith(b"\n"):
                    wrong(f"{name} ends in the middle of a line.")
                yield line[:-1]
        self.digests[name] = digest.hexdigest()

    def read(self, name):
        content = self.zip.read(name) if self.zip else (self.path / name).read_bytes()
        self.digests[name] = sha256(content).hex()
        return content


def check_export(path):
    """Newest checkpoint, keys, and a sentence."""
    export = Export(path)
    keys = check_keys(export.lines("keys.jsonl"))
    newest, number = check_log(export.lines("records.jsonl"), export.lines("checkpoints.jsonl"), keys)
    export.read("README.md")
    text = export.read("export.json")
    manifest = load(text, [EXPORT], "export.json")
    if plain(manifest) + b"\n" != text:
        wrong("export.json is not in canonical form.")
    unsigned = plain({name: value for name, value in manifest.items() if name != "signature"})
    if manifest["key"] != list(keys)[-1] or not signed(keys[manifest["key"]][1], "export", unsigned, manifest["signature"]):
        wrong("export.json was changed: its signature is wrong.")
    if manifest["files"] != {name: digest for name, digest in export.digests.items() if name != "export.json"}:
        wrong("A file is not the one that was exported.")
    if (manifest["records"], manifest["checkpoints"], manifest["origin"]) != (newest["size"], number, newest["origin"]):
        wrong("export.json tells of other records or checkpoints than there are.")
    return newest, keys, f"{newest['size']} records, {number} checkpoints, {len(keys)} keys: nothing was changed."


def climb(leaf, index, size, path):
    """RFC 9162, section 2.1.3.2: the root to which an inclusion path leads."""
    fn, sn, found = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            wrong("The inclusion path is too long.")
        if fn & 1 or fn == sn:
            found = sha256(b"\1" + sibling + found)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            found = sha256(b"\1" + found + sibling)
        fn, sn = fn >> 1, sn >> 1
    return found.hex() if sn == 0 else wrong("The inclusion path is too short.")


def continues(first, second, path):
    """RFC 9162, section 2.1.4.2: whether the tree of the second checkpoint begins with that of the first."""
    if first["size"] == second["size"]:
        return not path and first["root"] == second["root"]
    if not 0 < first["size"] < second["size"]:
        return False
    hashes = [bytes.fromhex(first["root"]), *path] if first["size"].bit_count() == 1 else path
    fn, sn = first["size"] - 1, second["size"] - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    if not hashes:
        return False
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = sha256(b"\1" + sibling + old), sha256(b"\1" + sibling + new)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = sha256(b"\1" + new + sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (old.hex(), new.hex()) == (first["root"], second["root"])


def check_proof(path):
    """Newest checkpoint, keys, and a sentence."""
    proof = load(path.read_bytes(), [PROOF], "The proof")
    keys = check_keys(plain(one) for one in proof["keys"])
    newest = check_checkpoint(plain(proof["checkpoint"]), keys, "The checkpoint")
    earlier = check_checkpoint(plain(proof["earlier"]), keys, "The earlier checkpoint")
    try:
        leaf, inclusion, consistency = proof["leaf"].encode(), *(
            [bytes.fromhex(one) for one in proof[name]] for name in ("inclusion", "consistency"))
    except (AttributeError, TypeError, ValueError):
        wrong("The proof is not in the form that it should have.")
    record = load(leaf, [RECORD - {"signature"}, RECORD - {"signature"} | {"key"}], "The record")
    if record != proof["record"] or type(record["seq"]) is not int or not 0 < record["seq"] <= newest["size"]:
        wrong("The record is not the one that is proved.")
    if "key" in record and not (
            record["key"] in keys and signed(keys[record["key"]][1], "record", leaf, proof["signature"])):
        wrong("The record was changed: its signature is wrong.")
    if climb(sha256(b"\0" + leaf), record["seq"] - 1, newest["size"], inclusion) != newest["root"]:
        wrong("The record is not in the log that the checkpoint was signed over.")
    if not continues(earlier, newest, consistency):
        wrong("The checkpoint does not continue the earlier one.")
    sentence = f"Record {record['seq']} is in the log of {newest['size']} records, which continues that of {earlier['size']}."
    return newest, keys, sentence


def compare(path, source, keys, newest, checkpoints):
    """Checkpoints that were kept apart must be among those of the export, byte for byte."""
    number = 0
    for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
        if not file.is_file():
            continue
        for line in file.read_bytes().splitlines():
            begin, end = line.find(b'{"key":"'), line.rfind(b"}") + 1
            if begin < 0:
                continue
            number += 1
            kept = check_checkpoint(line[begin:end], keys, f"A checkpoint in {file.name}")
            if kept["size"] > newest["size"]:
                wrong(f"A checkpoint in {file.name} covers {kept['size']} records, more than there are here.")
            if line[begin:end] not in checkpoints:
                wrong(f"The checkpoint over {kept['size']} records in {file.name} is not one of {path.name}.")
    return number or wrong(f"There is no checkpoint in {source.name}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path, metavar="EXPORT")
    parser.add_argument("--origin", help="as you know it from elsewhere")
    parser.add_argument("--against", type=Path, metavar="PATH", help="checkpoints that you kept apart")
    wanted = parser.parse_args()
    try:
        proof = wanted.export.is_file() and not zipfile.is_zipfile(wanted.export)
        newest, keys, sentence = check_proof(wanted.export) if proof else check_export(wanted.export)
        if wanted.origin and newest["origin"] != wanted.origin:
            wrong(f"This is the log {newest['origin']}, not {wanted.origin}.")
        print(sentence)
        if wanted.against:
            if proof:
                wrong("--against goes with an export.")
            known = set(Export(wanted.export).lines("checkpoints.jsonl"))
            print(f"{compare(wanted.export, wanted.against, keys, newest, known)} checkpoints kept apart agree with it.")
    except (Wrong, OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        print(f"NOT as it was written. {error}")
        return 1
    except (AttributeError, KeyError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        print(f"NOT as it was written: it is not in the form that it should have ({type(error).__name__}).")
        return 1
    print(f"Origin {newest['origin']}, newest checkpoint of {newest['time']} with the root {newest['root']}.")
    if not wanted.origin and not wanted.against:
        print("Compare these with what left the installation before: by themselves they prove only that the log fits itself.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
