"""Four requests of the S3 protocol, signed with Signature Version 4, for the second place alone.

A library would bring ten megabytes and a dozen packages for what is an HMAC over a canonical request. Addresses are in
path style (https://host/bucket/key). Credentials are two lines of the file `audit-s3` in the secrets folder: access key
and secret key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit
from xml.etree import ElementTree

import httpx

from ..trust import trusted

CREDENTIALS = "audit-s3"
TIMEOUT = 5.0  # seconds
PAGE = 1000  # names asked for at a time
PAGES = 10_000  # of a listing; more than that is no list of ours


class S3Error(RuntimeError):
    """A sentence: the service does not answer, or refuses."""


@dataclass(frozen=True)
class Bucket:
    """`prefix` ends in / or is empty. Every method raises S3Error."""

    endpoint: str
    bucket: str
    prefix: str
    region: str
    secrets_dir: Path

    @classmethod
    def of(cls, address: str, secrets_dir: Path) -> Bucket | None:
        """From https://host[:port]/bucket[/prefix][?region=name]; None where that is none."""
        try:
            parts = urlsplit(address)
            parts.port  # noqa: B018 - raises for what is no number
        except ValueError:
            return None
        bucket, _, prefix = parts.path.strip("/").partition("/")
        if parts.scheme not in {"http", "https"} or not parts.hostname or not bucket or parts.username:
            return None
        region = parse_qs(parts.query).get("region", ["us-east-1"])[0]
        return cls(f"{parts.scheme}://{parts.netloc}", bucket, f"{prefix}/" if prefix else "", region, secrets_dir)

    def create(self, name: str, content: bytes) -> bool:
        """Store it unless there is an object of that name; False then."""
        if self.get(name) is not None:
            return False
        headers = {"content-type": "application/json", "content-md5": _md5(content)}
        answer = self._ask("PUT", self.prefix + name, content=content, headers={**headers, "if-none-match": "*"})
        if answer.status_code == 501:  # a service that does not know conditions: that we looked must do
            answer = self._ask("PUT", self.prefix + name, content=content, headers=headers)
        if answer.status_code in {409, 412}:  # another was faster
            return False
        self._check(answer, {200, 201})
        return True

    def get(self, name: str) -> bytes | None:
        answer = self._ask("GET", self.prefix + name)
        if answer.status_code == 404 and "NoSuchBucket" not in answer.text:
            return None
        self._check(answer, {200})
        return answer.content

    def names(self) -> Iterator[str]:
        """Of the objects directly below the prefix."""
        token = ""
        for _ in range(PAGES):
            query = {"list-type": "2", "max-keys": str(PAGE), "prefix": self.prefix}
            query |= {"continuation-token": token} if token else {}
            answer = self._ask("GET", "", query)
            self._check(answer, {200})
            root = ElementTree.fromstring(answer.content)  # noqa: S314 - the site's own service; expat refuses entity bombs
            space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
            for entry in root.iter(f"{space}Key"):
                name = (entry.text or "").removeprefix(self.prefix)
                if name and "/" not in name:
                    yield name
            token = root.findtext(f"{space}NextContinuationToken") or ""
            if not token:
                return

    def _ask(
        self, method: str, key: str, query: Mapping[str, str] | None = None, content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        access, secret = self._credentials()
        path = "/" + quote(f"{self.bucket}/{key}" if key else self.bucket, safe="/-_.~")
        text = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted((query or {}).items()))
        host = self.endpoint.partition("://")[2]
        signed = signed_headers(
            method, host, path, text, {**(headers or {})}, content, self.region, access, secret, datetime.now(UTC))
        url = httpx.URL(f"{self.endpoint}{path}" + (f"?{text}" if text else ""))
        try:
            return _client().request(method, url, headers=signed, content=content or None)
        except httpx.HTTPError as error:
            raise S3Error(f"The S3 service does not answer: {type(error).__name__}.") from None

    def _credentials(self) -> tuple[str, str]:
        try:
            access, secret = (self.secrets_dir / CREDENTIALS).read_text().split()
        except (OSError, ValueError):
            raise S3Error(f"secrets/{CREDENTIALS} must hold two lines, access key and secret key.") from None
        return access, secret

    def _check(self, answer: httpx.Response, wanted: set[int]) -> None:
        if answer.status_code not in wanted:
            code = answer.text.partition("<Code>")[2].partition("</Code>")[0][:60]
            raise S3Error(f"The S3 service refuses: {answer.status_code} {code}".rstrip() + ".")


def signed_headers(
    method: str, host: str, path: str, query: str, headers: dict[str, str], content: bytes, region: str, access: str, secret: str,
    now: datetime,
) -> dict[str, str]:
    """`headers` with those of AWS Signature Version 4. `path` and `query` are encoded already, the query sorted."""
    stamp, digest = f"{now:%Y%m%dT%H%M%SZ}", hashlib.sha256(content).hexdigest()
    every = {**{name.lower(): value for name, value in headers.items()},
             "host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = ";".join(sorted(every))
    lines = "".join(f"{name}:{every[name].strip()}\n" for name in sorted(every))
    request = "\n".join([method, path, query, lines, names, digest])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return {**every, "authorization":
            f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"}


def _md5(content: bytes) -> str:
    """The protocol asks for it where objects are locked; the signature covers the SHA-256."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


@cache
def _client() -> httpx.Client:
    """One for the process: it keeps connections open for a few seconds. Certificates are the system's."""
    return httpx.Client(timeout=TIMEOUT, trust_env=False, verify=trusted())
