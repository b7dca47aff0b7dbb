"""Slides, photographs and volumes with words in every text they can carry."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import Any

import nibabel as nib
import numpy as np
import tifffile
from PIL import Image
from support.planted import PERSON, Planter
from support.planted_codings import jpeg_stream


def plant(planter: Planter) -> None:
    slide(planter)
    tiff_picture(planter)
    with planter.file(".jpg") as path:
        path.write_bytes(jpeg_stream(planter, "a photograph"))
    png(planter)
    volumes(planter)


def tissue(side: int) -> np.ndarray[Any, Any]:
    row, column = np.mgrid[0:side, 0:side]
    return np.stack([200 + 20 * np.sin(row / 31), 140 + 20 * np.cos(column / 27), 180 + 0 * row], axis=-1).astype(np.uint8)


def slide(planter: Planter) -> None:
    """An SVS as Aperio writes it: levels in tiles, thumbnail, label and macro in strips, words in each description."""
    with planter.file(".svs") as path:
        fields = {name: planter.word(f"SVS {name}") for name in ("Filename", "Title", "User", "ScanScope ID", "Patient")}
        described = "Aperio Image Library v11.2.1\r\n512x512 (256x256) JPEG/RGB Q=70|AppMag = 20|MPP = 0.4990|Date = 03/14/57"
        described += "".join(f"|{name} = {PERSON['family name']} {word}" for name, word in fields.items())
        icc = b"\0\0\0\x80icc " + planter.word("ICC profile of a slide").encode()
        private = [
            (65000, 2, 0, planter.word("private TIFF tag"), True),
            (700, 1, 0, _xmp(planter, "a slide"), True),
            (34675, 7, 0, icc, True),
            (306, 2, 0, "1957:03:14 10:11:12", True),
        ]
        with tifffile.TiffWriter(path) as writer:
            base = {"photometric": "rgb", "metadata": None, "software": planter.word("TIFF Software")}
            tiled = {"tile": (256, 256), "compression": "zlib"} | base
            writer.write(tissue(512), description=described, extratags=private, **tiled)
            writer.write(tissue(128), rowsperstrip=64, description=described.replace("512x512", "128x128"), **base)
            writer.write(
                tissue(256),
                tile=(256, 256),
                compression="zlib",
                description=f"Aperio {planter.word('SVS level')}",
                subfiletype=0,
                **base,
            )
            for name, flag in (("label", 1), ("macro", 9)):
                picture = tissue(96)
                raw = f"{planter.word(f'pixels of the {name}')} ".encode() * 3
                picture.reshape(-1)[: len(raw)] = np.frombuffer(raw, np.uint8)  # its pixels must not stay in the file, either
                writer.write(
                    picture,
                    rowsperstrip=96,
                    subfiletype=flag,
                    description=f"Aperio\r\n{name} 96x96 {planter.word(f'SVS {name}')}",
                    **base,
                )
        with path.open("ab") as stream:
            stream.write(planter.word("bytes behind a slide").encode())


def _xmp(planter: Planter, where: str) -> bytes:
    return f"<x:xmpmeta><dc:creator>{planter.word(f'XMP of {where}')}</dc:creator></x:xmpmeta>".encode()


def tiff_picture(planter: Planter) -> None:
    with planter.file(".tif") as path:
        tags = {315: "Artist", 316: "HostComputer", 33432: "Copyright", 269: "DocumentName"}
        extra = [(code, 2, 0, planter.word(f"TIFF {name}"), True) for code, name in tags.items()]
        extra += [(40091, 1, 0, planter.word("XPTitle").encode("utf-16-le"), True), (700, 1, 0, _xmp(planter, "a picture"), True)]
        tifffile.imwrite(
            path, tissue(64), photometric="rgb", metadata=None, description=planter.word("TIFF ImageDescription"), extratags=extra
        )


def png(planter: Planter) -> None:
    made = io.BytesIO()
    Image.fromarray(tissue(48)).save(made, "PNG")
    data = made.getvalue()
    with planter.file(".png") as path:
        chunks = [
            (b"tEXt", b"Author\0" + planter.word("PNG tEXt").encode()),
            (b"zTXt", b"Comment\0\0" + zlib.compress(planter.word("PNG zTXt").encode() * 3)),
            (b"iTXt", b"Title\0\0\0en\0\0" + planter.word("PNG iTXt").encode()),
            (b"iTXt", b"Title\0\x01\0en\0\0" + zlib.compress(planter.word("PNG compressed iTXt").encode() * 3)),
            (b"eXIf", b"MM\0*\0\0\0\x08\0\0" + planter.word("PNG eXIf").encode()),
            (b"tIME", struct.pack(">HBBBBB", 1957, 3, 14, 10, 11, 12)), (b"prVt", planter.word("PNG private chunk").encode()),
        ]  # fmt: skip
        after_header = 8 + 25
        inserted = b"".join(
            struct.pack(">I", len(text)) + kind + text + struct.pack(">I", zlib.crc32(kind + text)) for kind, text in chunks
        )
        path.write_bytes(data[:after_header] + inserted + data[after_header:] + planter.word("bytes behind a PNG").encode())


def volumes(planter: Planter) -> None:
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        for ending in (".nii", ".nii.gz"):
            with planter.file(ending) as path:
                path.write_bytes(_volume(planter, kind, ending))


def _volume(planter: Planter, kind: Any, ending: str) -> bytes:
    name = f"{kind.__name__} {ending}"
    image = kind(np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4), np.diag([2, 2, 3, 1]))
    header = image.header
    header["descrip"] = f"{PERSON['family name']} {planter.word(f'descrip of {name}')}".encode()
    for field in ("aux_file", "intent_name", "db_name"):
        if field in header:
            header[field] = planter.word(f"{field} of {name}").encode()
    if "data_type" in header:
        header["data_type"] = planter.word(f"data_type of {name}", 10).encode()
    for code in (6, 4, 2, 44):  # comment, AFNI, DICOM, MIND
        header.extensions.append(
            nib.nifti1.Nifti1Extension(code, b"<x>" + planter.word(f"extension {code} of {name}").encode() + b"</x>")
        )
    data: bytes = image.to_bytes() + planter.word(f"bytes behind {name}").encode()
    if ending == ".nii":
        return data
    packed = io.BytesIO()
    with gzip.GzipFile(planter.word(f"file name in the gzip header of {name}"), "wb", fileobj=packed, mtime=0) as stream:
        stream.write(data)
    return packed.getvalue() + gzip.compress(planter.word(f"second gzip member of {name}").encode())
