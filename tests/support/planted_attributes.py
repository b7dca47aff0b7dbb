"""Words in every attribute of the data dictionary, at the top and three deep; in private blocks, overlays, curves, file meta."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom import Dataset
from pydicom.datadict import DicomDictionary
from pydicom.dataset import PrivateBlock
from pydicom.sequence import Sequence
from pydicom.uid import ImplicitVRLittleEndian
from support.planted import Planter
from support.planted_dicom import ct, meta_of, mr, put, write

STRINGS = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
BYTES = ("OB", "OD", "OF", "OL", "OV", "OW", "UN")
NUMBERS = ("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV", "AT")
# What says how the file itself is to be read; without it there is no image. Each has its own test elsewhere or none is needed.
STRUCTURE = {
    0x00080005, 0x00080008, 0x00080016, 0x00080018, 0x00080060, 0x0020000D, 0x0020000E, 0x00280301, 0x00280302, 0x00120062,
    0x00080001, 0x00280303, 0x00280008, 0x00189004,
}  # fmt: skip
HOLDERS = (0x00420011, 0x54000100)  # an encapsulated document and a waveform make another object of it


def plant(planter: Planter) -> None:
    every_attribute(planter)
    valid_values(planter)
    with planter.file(".dcm", valid=True) as path:
        write(path, ct(planter))
    private_blocks(planter)
    overlays_and_curves(planter)
    around_the_data_set(planter)


def attributes(*vrs: str) -> Iterator[tuple[int, str]]:
    """(tag, VR) of the data dictionary, without what a file needs to be read."""
    for tag, entry in DicomDictionary.items():
        group, vr = tag >> 16, entry[0].split(" or ")[0]
        pixel_format = group == 0x0028 and tag & 0xFFFF < 0x0200
        if group in (0x0000, 0x0002, 0x0004, 0x7FE0, 0xFFFC, 0xFFFE) or pixel_format or tag in STRUCTURE or tag in HOLDERS:
            continue
        if vr in vrs and tag & 0xFFFF:
            yield tag, vr


def fill(planter: Planter, dataset: Dataset, vrs: tuple[str, ...], where: str) -> None:
    for tag, vr in attributes(*vrs):
        place = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr} {where}"
        word = planter.word(place)
        if vr == "PN":
            given, ideographic, phonetic = (planter.word(f"{place} {part}") for part in ("given", "ideographic", "phonetic"))
            word = f"{word}^{given}={ideographic}={phonetic}"
        if vr in ("LO", "SH", "CS", "UC"):
            word += f"\\{planter.word(place + ' second value')}"
        put(dataset, tag, word, vr)


def every_attribute(planter: Planter) -> None:
    """Grammar or not: a file from the world does not ask. And in every sequence of the dictionary an item with a text."""
    for vrs in (STRINGS, BYTES):
        with planter.file(".dcm") as path:
            dataset = mr(planter)
            fill(planter, dataset, vrs, "at the top")
            write(path, dataset)
        with planter.file(".dcm") as path:
            dataset = mr(planter)
            fill(planter, deep(dataset), vrs, "at depth 3")
            write(path, dataset)
    with planter.file(".dcm") as path:
        dataset = mr(planter)
        for tag, _ in attributes("SQ"):
            place = f"in an item of ({tag >> 16:04X},{tag & 0xFFFF:04X})"
            item = Dataset()
            put(item, "PatientName", planter.word(f"PatientName {place}"))
            put(item, "ImageComments", planter.word(f"ImageComments {place}"))
            put(item, "CodeMeaning", planter.word(f"CodeMeaning {place}"))
            put(item, "TextValue", planter.word(f"TextValue {place}"))
            put(item, "SOPInstanceUID", planter.uid(f"SOPInstanceUID {place}"))
            dataset[tag] = _sequence(tag, item)
        write(path, dataset)
    with planter.file(".dcm") as path:
        dataset = mr(planter)
        for target, where in ((dataset, "at the top"), (deep(dataset), "at depth 3")):
            for number, vr in enumerate((*STRINGS, *BYTES, *NUMBERS)):  # tags nobody knows, in groups of the standard
                put(target, 0x00081F00 + number, planter.word(f"unknown tag, {vr}, {where}", 16), vr)
                put(target, 0x30500100 + number, planter.word(f"tag of an unknown group, {vr}, {where}", 16), vr)
            put(target, "EchoNumbers", planter.word(f"two values of one number, {where}"), "IS")
            put(target, "PixelBandwidth", planter.word(f"a text as LO where DS belongs, {where}"), "LO")
            put(target, "InversionTime", planter.word(f"bytes as UN where DS belongs, {where}"), "UN")
            put(
                target,
                "Rows" if target is not dataset else "ReferencedFrameNumber",
                planter.word(f"UT where a number belongs, {where}"),
                "UT",
            )
        write(path, dataset)


def _sequence(tag: int, *items: Dataset):  # type: ignore[no-untyped-def]
    from pydicom import DataElement

    return DataElement(tag, "SQ", Sequence(items))


def deep(dataset: Dataset) -> Dataset:
    """An item three sequences below, in sequences that an image may keep."""
    for keyword in ("SharedFunctionalGroupsSequence", "DerivationImageSequence", "SourceImageSequence"):
        setattr(dataset, keyword, Sequence([Dataset()]))
        dataset = getattr(dataset, keyword)[0]
    return dataset


def valid_values(planter: Planter) -> None:
    """Dates and UIDs as they should look: the grammar gives nothing away here."""
    for where in ("at the top", "at depth 3"):
        with planter.file(".dcm") as path:
            dataset = ct(planter)
            target = dataset if where == "at the top" else deep(dataset)
            for tag, vr in attributes("DA", "DT", "UI"):
                if tag in (0x00081150, 0x0008115A, 0x00080062, 0x0008001A, 0x0008001B, 0x0008010C, 0x00080117, 0x00080118):
                    continue  # classes and coding schemes, not instances
                place = f"({tag >> 16:04X},{tag & 0xFFFF:04X}) {vr}, valid, {where}"
                if vr == "UI":
                    put(target, tag, f"{planter.uid(place)}\\{planter.uid(place + ' second value')}")
                else:
                    put(target, tag, planter.date(place) + ("101530.5+0100" if vr == "DT" else ""))
            write(path, dataset)


def private_blocks(planter: Planter) -> None:
    for syntax in ("", ImplicitVRLittleEndian):
        with planter.file(".dcm") as path:
            dataset = mr(planter)
            for target, where in ((dataset, "at the top"), (deep(dataset), "at depth 3")):
                block = target.private_block(0x0029, "PLANTED 1.0", create=True)
                for number, vr in enumerate((*STRINGS, *BYTES, *NUMBERS)):
                    put(target, block.get_tag(number), planter.word(f"private {vr} {where}", 16), vr)
                inner = Dataset()
                put(inner, "PatientName", planter.word(f"PatientName in a private sequence {where}"))
                nested = inner.private_block(0x0029, "PLANTED 1.0", create=True)
                put(inner, nested.get_tag(1), planter.word(f"private text in a private sequence {where}"), "LT")
                block.add_new(0xF0, "SQ", Sequence([inner]))
                put(target, 0x00310010, planter.word(f"private creator {where}"), "LO")
                put(target, 0x00311001, planter.word(f"private value {where}"), "UN")
                put(target, 0x00330099, planter.word(f"private value without a creator {where}"), "LO")
                put(target, 0x00351001, planter.word(f"private value in an unreserved block {where}"), "UN")
                _lying_safe_private(planter, target, where)
            if syntax:
                dataset.file_meta = meta_of(dataset, syntax)
            write(path, dataset)


def _lying_safe_private(planter: Planter, target: Dataset, where: str) -> None:
    """Elements that PS3.15 E.3.10 calls safe, holding what they should not."""
    for creator, group, element, vr in (
        ("SIEMENS MR HEADER", 0x0019, 0x0C, "IS"), ("SIEMENS MR HEADER", 0x0019, 0x0D, "CS"),
        ("SIEMENS MR HEADER", 0x0019, 0x0E, "UN"), ("Philips Imaging DD 001", 0x2001, 0x04, "CS"),
        ("GEMS_PARM_01", 0x0043, 0x39, "IS"), ("GEMS_ACQU_01", 0x0019, 0x9C, "LO"),
        ("Philips PET Private Group", 0x7053, 0x00, "DS"),
    ):  # fmt: skip
        block: PrivateBlock = target.private_block(group, creator, create=True)
        put(target, block.get_tag(element), planter.word(f"safe private element of {creator}, not as it should be, {where}"), vr)


def overlays_and_curves(planter: Planter) -> None:
    with planter.file(".dcm") as path:
        dataset = ct(planter)
        for group in (0x6000, 0x601E):
            base = group << 16
            for element, value in ((0x0010, 16), (0x0011, 16), (0x0100, 1), (0x0102, 0)):
                dataset.add_new(base + element, "US", value)
            dataset.add_new(base + 0x0050, "SS", [1, 1])
            put(dataset, base + 0x0040, "G", "CS")
            for element, vr in ((0x0022, "LO"), (0x0045, "LO"), (0x1500, "LO"), (0x4000, "LT"), (0x1301, "IS"), (0x0060, "CS")):
                put(dataset, base + element, planter.word(f"overlay ({group:04X},{element:04X})"), vr)
            put(dataset, base + 0x3000, planter.word(f"overlay data {group:04X}", 32), "OW")
        for element, vr in (
            (0x0020, "CS"),
            (0x0022, "LO"),
            (0x0030, "SH"),
            (0x0040, "SH"),
            (0x2500, "LO"),
            (0x2610, "US"),
            (0x3000, "OW"),
        ):
            put(dataset, 0x50020000 + element, planter.word(f"curve (5002,{element:04X})"), vr)
        write(path, dataset)


def around_the_data_set(planter: Planter) -> None:
    """File meta, preamble, padding at the end, and bytes after the end."""
    with planter.file(".dcm") as path:
        dataset = ct(planter)
        dataset.file_meta = meta_of(dataset)
        meta = dataset.file_meta
        put(meta, 0x00020013, planter.word("ImplementationVersionName"))
        for element in (0x0016, 0x0017, 0x0018):
            put(meta, 0x00020000 + element, planter.word(f"AE title (0002,{element:04X})"), "AE")
        for element in (0x0026, 0x0027, 0x0028):
            put(meta, 0x00020000 + element, f"dicom://{planter.word(f'address (0002,{element:04X})')}", "UR")
        meta.ImplementationClassUID = planter.uid("ImplementationClassUID")
        meta.PrivateInformationCreatorUID = planter.uid("PrivateInformationCreatorUID")
        meta.PrivateInformation = planter.word("private information of file meta").encode()
        meta.MediaStorageSOPInstanceUID = planter.uid("MediaStorageSOPInstanceUID, not the data set's")
        dataset.preamble = (planter.word("preamble").encode() + planter.word("preamble in UTF-16").encode("utf-16-le")).ljust(
            128, b"\0"
        )
        put(dataset, 0xFFFCFFFC, planter.word("trailing padding"), "OB")
        write(path, dataset)
    with planter.file("") as path:  # no ending, and as a data set without preamble and file meta
        dataset = ct(planter)
        put(dataset, "ImageComments", planter.word("ImageComments of a bare data set"))
        write(path, dataset, ImplicitVRLittleEndian)
        data = path.read_bytes()
        path.write_bytes(data[144 + int.from_bytes(data[140:144], "little") :])
