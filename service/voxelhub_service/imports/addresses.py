"""Which addresses an import may load from: checked as written, after each redirect, and again as the name resolves.

The connection goes to the very address that was checked, so that a name which resolves differently a moment later
(DNS re-binding) leads nowhere else. Sources: RFC 3986; the IANA special-purpose address registries (RFC 6890), as
Python's `ipaddress` holds them; RFC 3056, 4380, 6052 and 8215 for IPv6 addresses that carry an IPv4 one.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit

from ..datasets.names import printable, refusal
from ..errors import Problem, invalid

PORTS = {"http": 80, "https": 443, "ftp": 21}
LONGEST = 4096
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]  # host, port -> addresses as text
NAT64 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
# Not global, whatever this Python's registry says: protocol assignments, the old relays of 6to4; and a cloud's metadata service.
SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"), ipaddress.ip_network("168.63.129.16/32"))
CHOOSE = "Give an address that begins with http://, https:// or ftp://."
PRIVATE = (
    "private_address", "{host} is inside a private network or this machine. Imports load from public addresses only.",
    "Upload the file from your computer, or ask an administrator to allow private addresses (url_private).",
)


@dataclass(frozen=True)
class Address:
    """A checked URL in its parts. `path` is what goes on the request line; `host` is in ASCII and all that sentences may show."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        return printable(self.host)

    @property
    def authority(self) -> str:
        """For the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def name(self) -> str:
        """A file name from the last part of the path; `download` where there is none that we could use."""
        return file_name(unquote(self.path.partition("?")[0].rpartition("/")[2])) or "download"


def parse(url: str) -> Address:
    """Raises Problem with a sentence; looks nothing up."""
    if len(url) > LONGEST:
        raise invalid("bad_url", f"The address is longer than {LONGEST} letters.", "Give a shorter one.")
    if any(c.isspace() or not c.isprintable() or c == "\\" for c in url):
        raise invalid("bad_url", "The address holds a space, a backslash or a character that cannot be seen.", "Copy it again.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise invalid("bad_url", "This is no valid address.", CHOOSE) from None
    if parts.scheme not in PORTS:
        raise invalid("bad_scheme", "Only addresses of http, https and ftp can be loaded from.", CHOOSE)
    if "@" in parts.netloc:
        raise invalid("url_with_login", "The address holds a user name or password.", "Give one that needs none.")
    if not host or port == 0:
        raise invalid("bad_url", "The address names no host.", CHOOSE)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.scheme == "ftp":
        if any(not c.isprintable() for c in unquote(path)):
            raise invalid("bad_url", "The address holds a character that cannot be seen.", "Copy it again.")
    elif parts.query:
        path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")
    return Address(parts.scheme, _ascii(host), port or PORTS[parts.scheme], path)


def follow(address: Address, location: str) -> Address:
    """Where a redirect leads. Raises Problem; from https nothing leads to http, and no redirect leads to ftp."""
    try:
        to = parse(urljoin(address.url, location.strip()))
    except (Problem, ValueError):
        raise invalid("bad_redirect", f"{address.shown} leads on to an address that cannot be loaded from.") from None
    if address.scheme == "https" and to.scheme != "https":
        raise invalid("redirect_downgrade", f"{address.shown} leads on from https to an address without encryption.",
                      "Ask its owner, or load the file yourself and upload it.")
    if to.scheme == "ftp":
        raise invalid("bad_redirect", f"{address.shown} leads on to an address that cannot be loaded from.")
    return to


def file_name(text: str) -> str:
    """The text as a file name of ours; '' where it is none."""
    name = PurePosixPath(text.replace("\\", "/")).name.strip().strip(".")
    return name if name and len(name) <= 150 and refusal(name) is None else ""


def _ascii(host: str) -> str:
    host = host.rstrip(".")
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise invalid("bad_url", "The host of the address is not valid.", CHOOSE) from None
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    if not re.fullmatch(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*", name) or len(name) > 253:
        raise invalid("bad_url", "The host of the address is not valid.", CHOOSE)
    return name


def is_public(text: str) -> bool:
    """Whether packets to this address leave for the Internet; an address within an address counts as that one."""
    try:
        ip: Ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if (inner := _carried(ip)) is not None:
            return is_public(str(inner))
        if ip in NAT64[1] or ip.is_site_local or ip.teredo is not None:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or any(ip in one for one in SPECIAL))


def _carried(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address within: mapped, of 6to4, or of NAT64."""
    if ip in NAT64[0]:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def look_up(host: str, port: int) -> list[str]:
    """Every address of a name, by the system's resolver. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def resolve(address: Address, private: bool, resolve: Resolve = look_up) -> list[str]:
    """The addresses to connect to; all of them must be public, unless `private` allows all. Raises Problem, or OSError."""
    try:
        found = list(resolve(address.host, address.port))
    except UnicodeError:
        raise invalid("bad_url", "The host of the address is not valid.", CHOOSE) from None
    if not private and not all(is_public(one) for one in found):
        code, sentence, fix = PRIVATE
        raise invalid(code, sentence.format(host=address.shown), fix)
    return found


def connect(address: Address, private: bool, timeout: float, resolve_by: Resolve = look_up) -> socket.socket:
    """A TCP connection to an address that was checked, and to no other. Raises Problem, or OSError when nobody answers."""
    failed: OSError = OSError("no address")
    for one in resolve(address, private, resolve_by):
        try:
            return socket.create_connection((one, address.port), timeout)
        except OSError as error:
            failed = error
    raise failed
