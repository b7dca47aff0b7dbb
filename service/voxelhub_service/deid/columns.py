"""What a column of a table holds, by its heading and all of its values. What is not plainly harmless is personal.

Judged in one pass with bounded memory; no value leaves this module but as a kind of column.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from . import vocabulary
from .dates import is_date, order
from .decoding import words


class Kind(Enum):
    NUMBER = "numbers"
    CATEGORY = "categories"
    EMPTY = "nothing"
    FEATURE = "features"  # genes, taxa: named in a public list
    SUBJECT = "subjects"  # becomes the pseudonym that DICOM files of the same person have
    IDENTIFIER = "identifiers"  # becomes a token, the same one in every table of the project
    PLACE = "places"  # likewise
    DATE = "dates"  # moved with the subject's shift, where there is a subject
    PERSONAL = "personal"


MISSING = words("na n/a nan none null missing unknown . - -- ?") | {""}
SUBJECTS = words(
    "subject subjectid subjectno subjectnumber participant participantid patient patientid patientno patientnumber "
    "patid pid ptid mrn medicalrecordnumber hospitalnumber personid personalid individual individualid host "
    "hostsubjectid caseid donor donorid"
)
PLACES = words(
    "site siteid hospital institution institutionname institute center centre clinic ward department facility "
    "location"
)
FEATURES = words(
    "gene geneid genename genesymbol symbol taxon taxa taxonomy species genus otu otuid asv asvid feature featureid "
    "snp rsid chrom chromosome chr pathway ensembl transcript protein metabolite clade cladename trialtype channel "
    "structure variable parameter metric tag featurename"
)
CODED = words(
    "race raceid ethnicity diagnosis sex gender stage grade laterality side modality sequence group arm treatment "
    "response phenotype tissue sampletype collection label class"
)
NAMES = words(
    "name surname lastname familyname firstname givenname forename middlename maidenname fullname patientname "
    "subjectname participantname initials nickname alias mothername fathername spouse relative contact contactperson "
    "physician physicianname doctor doctorname radiologist pathologist surgeon nurse operator operatorname technician "
    "referrer referringphysician username user author reader investigator"
)
ADDRESSES = words(
    "address street streetaddress homeaddress city town village zip zipcode postcode postalcode postal county "
    "municipality latitude longitude geolocation phone phonenumber telephone telephonenumber tel mobile cell "
    "cellphone fax email emailaddress mail url website ip ipaddress ssn socialsecurity socialsecuritynumber "
    "nationalid nhs nhsnumber insurance insurancenumber policynumber passport iban account accountnumber license "
    "licence licensenumber accession accessionnumber studyid examid filename filepath path file folder serialnumber "
    "deviceserialnumber plate occupation employer religion"
)
TEXTS = words(
    "comment comments note notes remark remarks description narrative report history impression findings conclusion "
    "text freetext summary reason indication anamnesis"
)
BIRTHS = words(
    "dob birthdate dateofbirth birthday birth birthplace placeofbirth dod deathdate dateofdeath"
)
# The commonest of the same in German, French, Spanish, Italian, Dutch and Portuguese.
NAMES_ABROAD = words(
    "nachname vorname familienname geburtsname mädchenname maedchenname patientenname namen arzt ärztin hausarzt einweiser "
    "überweiser nom prenom prénom nomdefamille medecin médecin apellido apellidos nombre nombres medico médico cognome nome "
    "achternaam voornaam naam huisarts sobrenome apelido"
)
ADDRESSES_ABROAD = words(
    "adresse anschrift strasse straße hausnummer plz postleitzahl wohnort ort stadt telefon telefonnummer handy "
    "versicherungsnummer versichertennummer rue ville codepostal telephoneportable téléphone direccion dirección domicilio calle "
    "ciudad codigopostal códigopostal telefono teléfono indirizzo città codicefiscale straat woonplaats huisnummer telefoon bsn "
    "endereço endereco rua cidade telefone cpf dni nif"
)
TEXTS_ABROAD = words(
    "bemerkung bemerkungen kommentar kommentare befund befunde beurteilung anamnese notiz notizen remarque remarques commentaire "
    "commentaires observaciones comentario comentarios osservazioni opmerking opmerkingen observações"
)
BIRTHS_ABROAD = words(
    "geburtsdatum gebdatum gebdat geburtstag geburtsort todesdatum sterbedatum naissance datenaissance datedenaissance "
    "nacimiento fechanacimiento fechadenacimiento nascita datanascita datadinascita geboortedatum nascimento datanascimento "
    "datadenascimento"
)
PERSONAL_WORDS = {
    word: kind
    for kind, listed in (
        ("name", NAMES | NAMES_ABROAD), ("address_or_number", ADDRESSES | ADDRESSES_ABROAD), ("free_text", TEXTS | TEXTS_ABROAD),
        ("birth", BIRTHS | BIRTHS_ABROAD),
    )
    for word in listed
}  # fmt: skip
# Parts of a longer heading that say the same, as in "referring_physician_2" or "Patient's e-mail".
PARTS = {
    part: kind
    for kind, listed in (
        ("name", "surname lastname firstname physician doctor"),
        ("address_or_number", "address phone telephone email ssn zip postcode"),
        ("birth", "birth dob"),
        ("free_text", "comment comments notes"),
        ("identifier", "mrn accession"),
    )
    for part in listed.split()
}
IDENTIFIERS = words("id sample sampleid sampleno barcode specimen specimenid runid code uid uuid key externalid")

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,3})?%?|[+-]?inf", re.IGNORECASE)
LONG = re.compile(r"[+-]?\d{7,}")
PATTERNS = (
    ("email", re.compile(r"[^\s@]+@[^\s@]+\.\w+")),
    ("phone", re.compile(r"(?<![\w.])(\+|00)\d[\d\s()/-]{6,}\d|(?<![\w.])\(?0\d{2,5}\)?[\s/-]\d[\d\s-]{4,}\d")),
    ("phone", re.compile(r"(?<![\w.])\(?\d{3}\)?[\s-]\d{3}-\d{4}(?!\d)")),
    ("address", re.compile(r"https?://|(?<![\d.])(\d{1,3}\.){3}\d{1,3}(?![\d.])")),
    ("address", re.compile(r"\b\d{1,5} [A-Z][a-z]+ (Street|St|Road|Rd|Avenue|Ave|Lane)\b")),
    ("name", re.compile(r"[^\W\d_]+\^[^\W\d_]*|(Mr|Mrs|Ms|Dr|Prof|Herr|Frau)\.? [A-Z].*")),
)
PERSON = re.compile(r"[A-ZÀ-Þ][\w'’-]*[a-zß-ÿ],? ([A-ZÀ-Þ]\.? )?[A-ZÀ-Þ][\w'’-]*[a-zß-ÿ]\.?|[A-ZÀ-Þ]{2,}, ?[A-ZÀ-Þ][A-Za-zß-ÿ]+")
MOST_CATEGORIES, LONGEST_CATEGORY = 64, 40


PIECE = re.compile(r"[A-Z]?[a-zß-ÿ]+|[A-ZÀ-Þ]+(?![a-zß-ÿ])|\d+|[^\W\d_]+")
HEADINGS = words("most triple inter extract outcome outcomes category survival baseline normalization negative positive")
OWN = frozenset().union(HEADINGS, SUBJECTS, PLACES, FEATURES, CODED, IDENTIFIERS, PERSONAL_WORDS, PARTS)


def plain(heading: str) -> str:
    """Letters and digits in lower case."""
    return "".join(character for character in heading.lower() if character.isalnum())


def parts(heading: str) -> set[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", heading).lower()
    return set(re.findall(r"[^\W\d_]+", spaced))


def unsafe_heading(heading: str) -> str | None:
    """The kind of what a heading itself holds: a table on its side has patients for columns."""
    if len(heading) > 120 or "\n" in heading:
        return "free_text"
    if is_date(heading.strip()) or LONG.fullmatch(heading.strip()):
        return "identifier"
    return next((kind for kind, pattern in PATTERNS if pattern.search(heading)), None)


def _may_be_a_category(value: str, count: int) -> bool:
    """What stands there only once must be a code or ordinary words; a name among categories stands there once, too."""
    return (
        count > 1
        or NUMBER.fullmatch(value) is not None
        or (len(value) <= 3 and value.upper() == value)
        or all(_ordinary(piece) for piece in PIECE.findall(value))
    )


def _ordinary(piece: str) -> bool:
    return piece.lower() in OWN or piece.lower() in vocabulary.words()


def _serial(word: str) -> bool:
    """Letters and digits mixed as in the number of a person or a sample."""
    groups = len(re.findall(r"\d+", word))
    return len(word) >= 8 and (groups > 1 or (groups == 1 and word.upper() == word))


TAXON = re.compile(r"([kpcofgst]__[\w.-]+\|?)+|[A-Z][a-z]{3,} [a-z]{2,}( [a-z]{3,}| [a-z]{1,3}\d{1,3}| \d{1,3}[A-Z]{0,4}){0,5}")


def plain_heading(heading: str) -> bool:
    """Made of ordinary words, abbreviations and numbers, or the name of a taxon. A patient's name or number is none of these."""
    if TAXON.fullmatch(heading.strip()):
        return True
    if any(_serial(word) for word in re.findall(r"[^\W_]+", heading)):
        return False
    for match in PIECE.finditer(heading):
        piece, inside = match.group(), heading[max(match.start() - 1, 0) : match.start()].isalpha()
        short = len(piece) <= 3 or (len(piece) <= 6 and (inside or piece.isdigit() or piece.upper() == piece))
        if not short and not (len(piece) <= 20 and piece.islower()) and not _ordinary(piece):
            return False
    return True


class Sort(Enum):
    MISSING, NUMBER, LONG, DATE, TEXT = range(5)


class Look(NamedTuple):
    what: Sort
    found: str | None = None  # a pattern that is personal wherever it stands
    person: bool = False
    spaced: bool = False
    digit: bool = False
    short: bool = True
    day_first: bool | None = None


@lru_cache(16384)
def look(value: str) -> Look:
    """One value by itself."""
    value = value.strip()
    if value.lower() in MISSING:
        return Look(Sort.MISSING)
    if NUMBER.fullmatch(value) and not (len(value) == 8 and is_date(value)):
        return Look(Sort.LONG if LONG.fullmatch(value) else Sort.NUMBER)
    if is_date(value):
        return Look(Sort.DATE, day_first=order(value))
    return Look(
        Sort.TEXT,
        next((kind for kind, pattern in PATTERNS if pattern.search(value)), None),
        PERSON.fullmatch(value) is not None,
        any(character.isspace() for character in value),
        any(character.isdigit() for character in value),
        len(value) <= LONGEST_CATEGORY and len(value.split()) <= 5,
    )


@dataclass
class Column:
    heading: str
    values: int = 0
    numbers: int = 0
    long_numbers: int = 0
    dates: int = 0
    persons: int = 0
    spaced: int = 0
    digits: int = 0
    short: bool = True
    lengths: set[int] = field(default_factory=set)
    distinct: Counter[str] = field(default_factory=Counter)  # of the first few different values
    many: bool = False
    found: str | None = None  # a pattern that is personal wherever it stands

    def add(self, value: str) -> bool | None:
        """Whether the day stands before the month in this value, if it tells."""
        seen = look(value)
        if seen.what is Sort.MISSING:
            return None
        self.values += 1
        short = value.strip()[:80]
        if short in self.distinct or len(self.distinct) < MOST_CATEGORIES:
            self.distinct[short] += 1
        else:
            self.many = True
        if seen.what is Sort.DATE:
            self.dates += 1
        elif seen.what is Sort.TEXT:
            self.found = self.found or seen.found
            self.persons += seen.person
            self.spaced += seen.spaced
            self.digits += seen.digit
            self.short = self.short and seen.short
        else:
            self.numbers += 1
            if seen.what is Sort.LONG:
                self.long_numbers += 1
                self.lengths.add(len(short))
        return seen.day_first

    def kind(self) -> tuple[Kind, str]:
        """And, for a personal column, the kind of what it holds."""
        word, said = plain(self.heading), parts(self.heading)
        if self.values == 0:
            return Kind.EMPTY, ""
        if word in SUBJECTS:
            return Kind.SUBJECT, ""
        if word in PERSONAL_WORDS:
            return Kind.PERSONAL, PERSONAL_WORDS[word]
        if (part := next((PARTS[part] for part in sorted(said) if part in PARTS), None)) is not None:
            return Kind.PERSONAL, part
        if self.found is not None:
            return Kind.PERSONAL, self.found
        if self.dates:
            return (Kind.DATE, "") if self.dates == self.values else (Kind.PERSONAL, "dates_among_others")
        if self.numbers == self.values:
            return self._numbers()
        return self._texts(word)

    def _numbers(self) -> tuple[Kind, str]:
        """Long whole numbers of one length, nearly all different, are numbers of people and things rather than counts."""
        serial = self.long_numbers >= 0.9 * self.values and len(self.lengths) <= 2
        return (Kind.IDENTIFIER, "") if serial else (Kind.NUMBER, "")

    def _texts(self, word: str) -> tuple[Kind, str]:
        few = not self.many and self.short
        if word in PLACES and few:
            return Kind.PLACE, ""
        if word in FEATURES and self.short and not self.persons:
            return Kind.FEATURE, ""
        category = few and all(_may_be_a_category(value, count) for value, count in self.distinct.items())
        if category and (word in CODED or not self.persons):
            return Kind.CATEGORY, ""
        if self.persons:
            return Kind.PERSONAL, "name"
        texts = self.values - self.numbers
        named = word in IDENTIFIERS or (2 * self.digits >= texts and 2 * texts > self.values)
        if named and self.spaced == 0 and self.short:
            return Kind.IDENTIFIER, ""
        return Kind.PERSONAL, "free_text"
