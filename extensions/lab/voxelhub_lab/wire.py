"""What may pass the proxy: pure functions over paths, queries and headers."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, urlencode

# Everything else stays here: cookies, the browser's own Authorization, forwarding headers.
REQUEST_HEADERS = frozenset({
    "accept", "accept-encoding", "accept-language", "content-type", "content-length", "content-encoding", "range",
    "if-match", "if-none-match", "if-modified-since", "if-range", "last-event-id", "idempotency-key",
    "tus-resumable", "upload-offset", "upload-length", "upload-metadata", "upload-checksum", "upload-defer-length",
})
# RFC 9110 7.6.1, and what belongs to the server rather than to the resource.
NOT_RETURNED = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "set-cookie", "set-cookie2", "server", "date", "www-authenticate", "location",
    "content-security-policy", "x-frame-options", "access-control-allow-origin", "access-control-allow-credentials",
})
# Jupyter's own: a token in the address would otherwise travel to the service and into its log.
OWN_ARGUMENTS = frozenset({"_xsrf", "token", "no_track_activity"})


def safe_path(path: str) -> bool:
    """False for a path that could leave the API's root, as written or once decoded."""
    decoded = unquote(unquote(path))
    return "\\" not in decoded and "\x00" not in decoded and not {".", ".."} & set(decoded.split("/"))


def upstream_query(query: str) -> str:
    """The query without what Jupyter put there, prefixed by `?` unless empty."""
    pairs = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k not in OWN_ARGUMENTS and not _cache_buster(k, v)]
    return f"?{urlencode(pairs)}" if pairs else ""


def _cache_buster(name: str, value: str) -> bool:
    """The bare time that Jupyter's client appends so that no browser answers from its cache."""
    return name.isdecimal() and not value


def upstream_headers(headers: Iterable[tuple[str, str]], token: str) -> list[tuple[str, str]]:
    """The listed request headers, and the server's own token as the only credential."""
    passed = [(k, v) for k, v in headers if k.lower() in REQUEST_HEADERS]
    return [*passed, ("Authorization", f"token {token}")]


def returned_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Response headers for the browser: none that is hop-by-hop (or named by Connection), none that sets a cookie."""
    items = list(headers)
    named = {n.strip().lower() for k, v in items if k.lower() == "connection" for n in v.split(",")}
    return [(k, v) for k, v in items if k.lower() not in NOT_RETURNED | named]


def returned_location(location: str, api_url: str, own_prefix: str) -> str | None:
    """The address below our own prefix; None when it points anywhere but below the API."""
    path_prefix = "/" + api_url.split("://", 1)[-1].partition("/")[2]
    for prefix in (api_url.rstrip("/"), path_prefix.rstrip("/")):
        if location == prefix or location.startswith((prefix + "/", prefix + "?")):
            return own_prefix + location[len(prefix):]
    return None
