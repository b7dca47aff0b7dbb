"""What stands in the texts of a submitted tool that a reviewer, or its own developer, should look at.

It looks for words, so it proves nothing: the sandbox is what keeps a tool in. It never repeats what may be a secret.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from .finding import Finding, Level

SHOWN = 3  # places of one kind in one file


@dataclass(frozen=True)
class Word:
    """`kinds`: endings of the files that it is looked for in, () for every text."""

    pattern: re.Pattern[str]
    level: Level
    sentence: str
    fix: str
    kinds: tuple[str, ...] = ()


PROGRAMS = (".py", ".ipynb", ".r", ".rmd", ".sh", ".bash", ".pl", ".jl", ".js", "")
LEAK_FIX = "Take it out and make it invalid: whoever sees the tool has it."
SECRETS = (
    ("a private key", r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY"),
    ("an access key of AWS", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,90})\b"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{20,60}"),
    ("a token of Slack", r"\bxox[abprs]-[A-Za-z0-9-]{10,100}"),
    ("a key of Google", r"\bAIza[0-9A-Za-z_-]{35}\b"),
    ("a token of Hugging Face", r"\bhf_[A-Za-z0-9]{30,60}\b"),
    ("a token of PyPI", r"\bpypi-AgE[A-Za-z0-9_-]{50,300}"),
    ("a signed token (JWT)", r"\beyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\."),
)
SHELL_FIX = "Start programs with a list of arguments, so that no file name is taken for a command."
WORDS = (
    *(Word(re.compile(pattern), "error", f"{{place}} holds what looks like {what}.", LEAK_FIX) for what, pattern in SECRETS),
    Word(re.compile(r"(?i)\b(?:password|passwd|secret|api_?key|access_?token)\b[\"']?\s{0,4}[:=]\s{0,4}[\"'][^\"'\s]{12,200}[\"']"),
         "warning", "{place} holds what may be a password or a key.", LEAK_FIX),
    Word(re.compile(r"\bshell\s{0,4}=\s{0,4}True\b|\bos\.(?:system|popen)\s{0,4}\(|\bsubprocess\.(?:getoutput|getstatusoutput)\b"
                    r"|\bcommands\.getoutput\b"), "warning", "{place} hands a text to a shell.", SHELL_FIX, (".py", ".ipynb")),
    Word(re.compile(r"(?m)\bsystem\s{0,4}\(\s{0,4}paste|\beval\s{1,4}[\"$]"), "warning", "{place} hands a text to a shell.",
         SHELL_FIX, (".r", ".rmd", ".sh", ".bash", ".pl")),
    Word(re.compile(r"(?<![\w.])(?:eval|exec)\s{0,4}\(|\b(?:pickle|cPickle|dill|joblib)\.loads?\s{0,4}\("), "note",
         "{place} runs a text or a stored object as a program.", "A reviewer will ask where it comes from.", (".py", ".ipynb")),
    Word(re.compile(r"\b(?:pip3?|conda)\b[\"',\s]{1,6}install\b|\binstall\.packages\s{0,4}\("), "warning",
         "{place} installs packages while it runs, which a run cannot.", "Name an environment that has them, or add a lock.",
         PROGRAMS),
    Word(re.compile(r"[\"'=\s(](?:/(?:home|Users|root|mnt|media|data|scratch|nfs|srv|opt|net|projects|etc)/[^\s\"']{1,200}"
                    r"|[A-Za-z]:\\\\?[A-Za-z][^\s\"']{1,200})"), "warning",
         "{place} names a place of one particular computer, which a run does not have.",
         "Use the paths that the program is given; what it needs besides lies in its own folder.", PROGRAMS),
)
NETWORK = re.compile(
    r"(?m)^\s{0,40}(?:import|from)\s{1,4}(?:requests|urllib\.request|urllib3|http\.client|socket|aiohttp|httpx|ftplib|paramiko|smtplib"
    r"|websockets?|boto3|huggingface_hub|google\.cloud)\b|\burllib\.request\b|(?<![\w-])(?:curl|wget|scp|rsync|ssh)\s{1,4}[-\w\"$]"
    r"|\bdownload\.file\s{0,4}\(|\blibrary\s{0,4}\((?:httr2?|curl|RCurl)\)|\bfrom_pretrained\s{0,4}\(")


def look(path: str, text: str, *, network: bool) -> Iterator[Finding]:
    """Findings about one text, the places of each kind counted."""
    starts = [match.end() for match in re.finditer("\n", text)]
    ending = path[path.rfind("."):].lower() if "." in path.rpartition("/")[2] else ""
    words = [word for word in WORDS if not word.kinds or ending in word.kinds]
    if ending in PROGRAMS:
        words.append(_network_word(network))
    for word in words:
        lines = sorted({bisect(starts, match.start() + _lead(match[0])) + 1 for match in word.pattern.finditer(text)})
        for line in lines[:SHOWN]:
            yield Finding(word.level, f"{path}:{line}", word.sentence.format(place=f"Line {line} of `{path}`"), word.fix)
        if len(lines) > SHOWN:
            more = f"{len(lines) - SHOWN} further lines of `{path}`"
            yield Finding(word.level, path, f"So do {more}: {word.sentence.format(place='each')}", word.fix)


def _network_word(network: bool) -> Word:
    if network:
        return Word(NETWORK, "note", "{place} uses the network, as the manifest says.", "")
    return Word(NETWORK, "warning", "{place} seems to use the network, which the tool does not get.",
                'Take it out; or, where it must, write "network": true and say what it reaches.')


def _lead(found: str) -> int:
    return len(found) - len(found.lstrip())
