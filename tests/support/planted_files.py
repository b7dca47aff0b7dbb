"""Tables, sequences, sidecars, documents and archives."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile

from support.planted import PERSON, Planter

HELD_TABLE = ("personal_columns", "free_text")


def plant(planter: Planter) -> None:
    tables(planter)
    sequences(planter)
    sidecar(planter)
    documents(planter)
    archives(planter)


def tables(planter: Planter) -> None:
    for ending, separator in ((".csv", ","), (".tsv", "\t"), (".csv", ";")):
        with planter.file(ending, *HELD_TABLE) as path:
            rows = [["subject", "patient_name", "value"]]
            rows += [
                [str(row), f"{PERSON['given name']} {planter.word(f'patient_name column, row {row}')}", "1.5"] for row in range(5)
            ]
            path.write_text("\n".join(separator.join(row) for row in rows) + "\n")
    with planter.file(".csv", "released", *HELD_TABLE) as path:
        rows = [f"{PERSON['number']},{planter.date('StudyDate column')},2", f"{planter.word('PatientID column')},19570314,3"]
        path.write_text("\n".join(["PatientID,StudyDate,dose", *rows, ""]))
    with planter.file(".csv", *HELD_TABLE) as path:  # a table on its side
        path.write_text(f"dose,{planter.person('family name')}^{planter.person('given name')}\n1,2\n3,4\n")
    with planter.file(".csv", *HELD_TABLE) as path:
        path.write_text(f"dose,weight\n1,2\n3,{planter.word('a text in a column of numbers')}\n4,4\n" + "5,6\n" * 40)
    with planter.file(".csv", *HELD_TABLE) as path:
        path.write_bytes(f"dose,remark\n1,{planter.word('a table in UTF-16')}\n".encode("utf-16"))


def sequences(planter: Planter) -> None:
    for ending in (".fastq", ".fastq.gz"):
        with planter.file(ending) as path:
            records = [
                f"@{planter.word(f'read name {n}')}:1:2 {planter.word(f'read comment {n}')}\nACGTACGTAA\n+\nIIIIIIIIII\n"
                for n in range(3)
            ]
            data = "".join(records).encode()
            path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    with planter.file(".fasta") as path:
        path.write_text(
            f">{planter.word('FASTA name')} {PERSON['family name']} {planter.word('FASTA comment')}\nACGTACGT\nACGT\n"
        )


def sidecar(planter: Planter) -> None:
    with planter.file(".json") as path:
        fields = {
            "Modality": "MR",
            "EchoTime": 0.03,
            "ImageType": ["ORIGINAL", planter.word("ImageType of a sidecar")],
            "AcquisitionDateTime": "1957-03-14T10:11:12",
            "SliceTiming": [0.1, planter.word("a text among numbers")],
            "Nested": {"deep": planter.word("a nested field")},
            planter.word("a field called by a name"): 1,
        }
        for name in ("PatientName", "InstitutionName", "SeriesDescription", "Manufacturer"):
            fields[name] = f"{PERSON['hospital']} {planter.word(f'{name} of a sidecar')}"
        path.write_text(json.dumps(fields))
    with planter.file(".json", "free_text") as path:
        path.write_text(json.dumps({"note": planter.word("a note"), "who": PERSON["given name"]}))


def documents(planter: Planter) -> None:
    for ending, code in ((".txt", "free_text"), (".md", "free_text"), (".pdf", "document"), (".bin", "unknown_format")):
        with planter.file(ending, code) as path:
            start = {".pdf": b"%PDF-1.4\n", ".bin": b"\x01\x02\x03\xff\xfe\x00"}.get(ending, b"")
            path.write_bytes(start + f"Letter about {PERSON['given name']} {planter.word(f'text of {ending}')}\n".encode())
    with planter.file(".bval") as path:
        path.write_text("0 1000 1000 2000\n")
    with planter.file(".bvec", "free_text") as path:
        path.write_text(f"0 1 0\n0 0 {planter.word('a text among gradient directions')}\n")


def archives(planter: Planter) -> None:
    """Inside a corpus of single files an archive is held; what is in one is planted for the door, which unpacks."""
    with planter.file(".zip", "archive_inside") as path:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{planter.word('name of a member')}.txt", planter.word("text of a member"))
            archive.comment = planter.word("comment of an archive").encode()
        path.write_bytes(packed.getvalue())
    with planter.file(".tar.gz", "archive_inside") as path:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            member = tarfile.TarInfo(planter.word("name of a member of a TAR"))
            member.uname, member.pax_headers = planter.word("owner of a member"), {"comment": planter.word("comment of a TAR")}
            archive.addfile(member)
        path.write_bytes(made.getvalue())
