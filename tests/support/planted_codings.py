"""Words in other alphabets (PS3.5, 6.1; PS3.3, C.12.1.1.2), and in every transfer syntax that can be made here."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.charset import convert_encodings, encode_string
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)
from support.planted import Planter
from support.planted_dicom import as_it_is, ct, meta_of, mr, pixels_of, put, put_pixels, write

# (0008,0005) -> (letters of the language, the coding of Python that writes them)
LATIN, CYRILLIC = "ÀÈÌÒÙÄËÏÖÜÇÑßø", "БГДЖЗИЛПФЦЧШЩЭЮЯ"
KANJI, HANZI, HANGUL = "山田太郎東京都病院医師患者記録", "王小东李明医院病人记录北京", "김희중홍길동환자병원기록서울"
ALPHABETS = {
    "ISO_IR 100": (LATIN, "latin-1"), "ISO_IR 101": ("ĄŁĽŚŠŞŤŹŽŻČĆ", "iso8859-2"), "ISO_IR 110": ("ĀĖĒĢĪĶĻŅŌŖŪŽ", "iso8859-4"),
    "ISO_IR 144": (CYRILLIC, "iso8859-5"), "ISO_IR 127": ("ابتثجحخدذرزسش", "iso8859-6"),
    "ISO_IR 126": ("ΓΔΘΛΞΠΣΦΨΩάέ", "iso8859-7"),
    "ISO_IR 138": ("אבגדהוזחטיכל", "iso8859-8"), "ISO_IR 148": ("ĞİŞğışÖÜÇâî", "iso8859-9"),
    "ISO_IR 166": ("กขคงจฉชซญดตถ", "tis-620"), "ISO_IR 13": ("ｱｲｳｴｵｶｷｸｹｺ", "shift_jis"),
    "ISO_IR 192": (CYRILLIC + KANJI, "utf-8"), "GB18030": (HANZI, "gb18030"), "GBK": (HANZI, "gbk"),
    "\\ISO 2022 IR 87": (KANJI, "iso2022_jp"), "\\ISO 2022 IR 149": (HANGUL, "euc_kr"), "\\ISO 2022 IR 58": (HANZI, "gb2312"),
    "\\ISO 2022 IR 100\\ISO 2022 IR 144": (CYRILLIC, "iso8859-5"),
}  # fmt: skip
TEXTS = ("PatientComments", "ImageComments", "ProtocolName", "InstitutionAddress", "StationName", "AdditionalPatientHistory")


def plant(planter: Planter) -> None:
    for name in ALPHABETS:
        in_alphabet(planter, name)
    lying_alphabet(planter)
    for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian):
        with planter.file(".dcm", valid=True) as path:
            dataset = ct(planter)
            dataset.ImageComments = planter.word(f"ImageComments in {syntax.name}")
            _written_as(path, dataset, syntax)
    compressed(planter)
    behind_the_pixels(planter)


def _written_as(path: Path, dataset: Dataset, syntax: str) -> None:
    little = syntax != ExplicitVRBigEndian
    dataset.file_meta, dataset.preamble = meta_of(dataset, syntax), b"\0" * 128
    if not little:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
    as_it_is(dataset, syntax)
    dcmwrite(path, dataset, enforce_file_format=True)


def in_alphabet(planter: Planter, name: str) -> None:
    letters, coding = ALPHABETS[name]
    sets = name.split("\\")
    with planter.file(".dcm", valid=True) as path:
        dataset = mr(planter)
        dataset.SpecificCharacterSet = sets
        word = lambda where: planter.native(f"{where}, {name}", letters, coding)  # noqa: E731
        encodings = convert_encodings(sets)
        dataset.PatientName = f"Yamada^Tarou={word('ideographic family')}^{word('ideographic given')}={word('phonetic')}"
        person = Dataset()
        person.PersonIdentificationCodeSequence = []
        for target, where in ((dataset, "top"), (person, "item")):
            for keyword in TEXTS:
                put(target, keyword, encode_string(word(f"{keyword} at {where}"), encodings))
        dataset.ReferencedPatientSequence = [person]
        dataset.RequestAttributesSequence = [Dataset()]
        put(dataset.RequestAttributesSequence[0], "ScheduledProcedureStepDescription",
            encode_string(word("in a request"), encodings))  # fmt: skip
        write(path, dataset)


def lying_alphabet(planter: Planter) -> None:
    """The data set says one character set, or none that exists, and uses others; an item says its own."""
    for name in ("ISO_IR 6", "NO SUCH SET", "ISO_IR 100"):
        with planter.file(".dcm") as path:
            dataset = mr(planter)
            put(dataset, "SpecificCharacterSet", name)
            for keyword, (letters, coding) in zip(
                TEXTS, (ALPHABETS["ISO_IR 144"], (KANJI, "shift_jis"), (KANJI, "utf-16-be")), strict=False
            ):
                word = planter.native(f"{keyword} in {coding}, declared {name}", letters, coding)
                put(dataset, keyword, word.encode(coding))
            put(dataset, "PatientName", planter.native(f"PatientName in UTF-8, declared {name}", CYRILLIC, "utf-8").encode())
            put(dataset, "StudyDescription", planter.word(f"UTF-16 with nulls, declared {name}").encode("utf-16-le"))
            item = Dataset()
            item.SpecificCharacterSet = "ISO_IR 144"
            put(
                item, "CodeMeaning", planter.native("an item of its own character set", CYRILLIC, "iso8859-5").encode("iso8859-5")
            )
            dataset.ProcedureCodeSequence = [item]
            write(path, dataset)


def compressed(planter: Planter) -> None:
    with planter.file(".dcm", valid=True) as path:
        dataset = ct(planter)
        dataset.file_meta = meta_of(dataset)
        dataset.compress(RLELossless, generate_instance_uid=False)
        write(path, dataset)
    with planter.file(".dcm") as path:
        dataset = ct(planter)
        put_pixels(dataset, pixels_of(1, 64))
        dataset.file_meta = meta_of(dataset)
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
        _encapsulated(dataset, [_j2k_with_comment(planter, stream)])
        write(path, dataset)
    for syntax, name in (("JPEGLSLossless", "JPEG-LS"), ("JPEGLosslessProcess14_1", "JPEG lossless")):
        with planter.file(".dcm") as path:
            _by_gdcm(planter, path, syntax, name)
    jpeg_baseline(planter)


def _encapsulated(dataset: Dataset, frames: list[bytes]) -> None:
    dataset.PixelData = encapsulate([frame + b"\0" * (len(frame) % 2) for frame in frames], has_bot=True)
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def comment(text: bytes, marker: bytes = b"\xff\xfe") -> bytes:
    return marker + (len(text) + 2).to_bytes(2, "big") + text


def _j2k_with_comment(planter: Planter, stream: bytes) -> bytes:
    """A COM segment after SIZ (ISO 15444-1, A.9.2)."""
    after_siz = 2 + 2 + int.from_bytes(stream[4:6], "big")
    text = comment(b"\0\x01" + planter.word("comment of a JPEG 2000 stream").encode(), b"\xff\x64")
    return stream[:after_siz] + text + stream[after_siz:]


def _by_gdcm(planter: Planter, path: Path, syntax: str, name: str) -> None:
    import gdcm  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.dcm"
        write(plain, ct(planter), ExplicitVRLittleEndian)
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(plain))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    dataset = dcmread(path)
    stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
    text = comment(planter.word(f"comment of a {name} stream").encode())
    _encapsulated(dataset, [stream[:2] + text + stream[2:]])
    dcmwrite(path, dataset)


def jpeg_stream(planter: Planter, where: str) -> bytes:
    """A JPEG with words in COM, APP0 thumbnail place, APP1 EXIF, APP13, and behind its end."""
    row, column = np.mgrid[0:32, 0:32]
    made = io.BytesIO()
    Image.fromarray((100 + 3 * row + column).astype(np.uint8)).save(made, "JPEG", quality=90)
    stream = made.getvalue()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0" + planter.word(f"EXIF of {where}").encode()
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x>" + planter.word(f"XMP of {where}").encode() + b"</x>"
    wide = planter.word(f"UTF-16 comment of {where}").encode("utf-16-le")
    segments = comment(planter.word(f"JPEG comment of {where}").encode()) + comment(exif, b"\xff\xe1") + comment(xmp, b"\xff\xe1")
    segments += comment(b"Photoshop 3.0\0" + planter.word(f"IPTC of {where}").encode(), b"\xff\xed") + comment(wide)
    return stream[:2] + segments + stream[2:] + planter.word(f"bytes behind the end of {where}").encode()


def jpeg_baseline(planter: Planter) -> None:
    with planter.file(".dcm") as path:
        dataset = mr(planter)
        put_pixels(dataset, np.zeros((32, 32), np.uint8))
        _encapsulated(dataset, [jpeg_stream(planter, "an encapsulated JPEG")])
        dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", 4
        dataset.LossyImageCompressionMethod = "ISO_10918_1"
        dataset.file_meta = meta_of(dataset, JPEGBaseline8Bit)
        write(path, dataset)


def behind_the_pixels(planter: Planter) -> None:
    """Bytes that no viewer shows: more than the frames need, an offset table, what follows a stream's end."""
    codes = ("released", "unreadable", "not_whole")
    with planter.file(".dcm", *codes) as path:
        dataset = ct(planter)
        dataset.PixelData += planter.word("excess bytes of PixelData", 32).encode()
        write(path, dataset)
    with planter.file(".dcm", *codes) as path:
        dataset = ct(planter)
        put(dataset, "PixelPaddingValue", b"\0\0", "SS")
        put(dataset, 0x7FE00001, planter.word("extended offset table", 16), "OV")
        put(dataset, 0x7FE00002, planter.word("extended offset table lengths", 16), "OV")
        write(path, dataset)
    for name in ("JPEGLSLossless", "JPEGLosslessProcess14_1"):
        with planter.file(".dcm", *codes) as path:
            _by_gdcm(planter, path, name, name)
            dataset = dcmread(path)
            stream = next(generate_frames(dataset.PixelData, number_of_frames=1)).rstrip(b"\0")
            late = comment(planter.word(f"comment behind the scan, {name}").encode())
            between = planter.word(f"between two ends, {name}").encode()
            _encapsulated(dataset, [stream[:-2] + late + stream[-2:] + between + stream[-2:]])
            dcmwrite(path, dataset)
    places = ("a fragment too many", "behind the end of an RLE frame", "the offset table", "behind the end of a JPEG 2000 stream")
    for where in places:
        with planter.file(".dcm", *codes) as path:
            dataset = ct(planter)
            put_pixels(dataset, pixels_of(1, 64))
            dataset.file_meta = meta_of(dataset)
            dataset.compress(JPEG2000Lossless if "JPEG" in where else RLELossless, generate_instance_uid=False)
            stream = next(generate_frames(dataset.PixelData, number_of_frames=1))
            word = planter.word(where, 32).encode()
            if where == "a fragment too many":
                _encapsulated(dataset, [stream, word])
            elif where == "the offset table":
                fragment = stream + b"\0" * (len(stream) % 2)
                items = (b"\xfe\xff\x00\xe0" + len(part).to_bytes(4, "little") + part for part in (word, fragment))
                dataset.PixelData = b"".join(items) + b"\xfe\xff\xdd\xe0\0\0\0\0"
            else:
                _encapsulated(dataset, [stream + word])
            write(path, dataset)
