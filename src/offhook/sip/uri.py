"""SIP, SIPS and tel URIs, and the bare scheme of any other (RFC 3261 sections 19.1 and 25.1, RFC 3966).

Parts are kept as they were written, so that a URI goes out as it came in; `username` is the readable form. Whether a
scheme is supported is not decided here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import Params, escape, find_param, has_bad_escape, normal_escapes, replace_param, unescape

PORT_MAX: Final = 65_535
USER_ALLOWED: Final = "&=+$,;?/"

_HOST: Final = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.\-_]*+)|\[[0-9A-Fa-f:.]++\])"
_SIP_URI = re.compile(
    r"(sips?):"
    r"(?:([A-Za-z0-9\-_.!~*'()&=+$,;?/%]+)(?::([A-Za-z0-9\-_.!~*'()&=+$,%]*+))?@)?"
    rf"({_HOST})(?::([0-9]{{1,5}}))?"
    r"((?:;[A-Za-z0-9\-_.!~*'()\[\]/:&+$%]++(?:=[A-Za-z0-9\-_.!~*'()\[\]/:&+$%]++)?)*+)"
    r"(?:\?([A-Za-z0-9\-_.!~*'()\[\]/?:+$%=&]++))?",
    re.IGNORECASE,
)
_TEL_URI = re.compile(
    r"tel:(\+?[0-9A-Fa-f*#\-.()]+)((?:;[A-Za-z0-9\-]+(?:=[A-Za-z0-9\-_.!~*'()\[\]/:&+$%]+)?)*+)", re.IGNORECASE
)
_ABSOLUTE_URI = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*+):([^\x00-\x20\x7f<>\"]++)")
_HOST_ONLY = re.compile(_HOST)
_TEL_SEPARATORS = str.maketrans("", "", "-.()")

# RFC 3261 section 19.1.4: these must match if either URI has them; all others only if both have them.
_DECISIVE_PARAMS: Final = ("user", "ttl", "method", "maddr", "transport")


@dataclass(frozen=True, slots=True)
class Uri:
    """One URI.

    `scheme` is in small letters: `sip`, `sips`, `tel`, or another. For `sip` and `sips`, `user`, `password`, `host`
    (an IPv6 address keeps its brackets), `port`, `params` and `headers` are as written. For `tel`, `user` is the
    number with its separators and `host` is empty. For any other scheme `opaque` holds all that follows the colon.
    """

    scheme: str
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()
    opaque: str = ""

    @classmethod
    def parse(cls, text: str) -> Uri:
        """`text`, without angle brackets or space around it, as a URI; otherwise `SyntaxFault`."""
        found = _SIP_URI.fullmatch(text)
        if found is not None:
            if "%" in text and has_bad_escape(text):
                raise SyntaxFault("SIP URI", "has a percent sign that escapes nothing", text)
            scheme, user, password, host, port, params, headers = found.groups()
            return cls(
                scheme.lower(),
                user,
                password,
                host,
                _port(port, text) if port else None,
                _params(params) if params else (),
                _headers(headers, text) if headers else (),
            )
        scheme, colon, _ = text.partition(":")
        kind = scheme.lower()
        if kind in ("sip", "sips"):
            raise SyntaxFault("SIP URI", "is malformed", text)
        if kind == "tel":
            number = _TEL_URI.fullmatch(text)
            if number is None:
                raise SyntaxFault("tel URI", "is malformed", text)
            return cls(kind, number.group(1), params=_params(number.group(2)))
        other = _ABSOLUTE_URI.fullmatch(text)
        if other is None:
            raise SyntaxFault("URI", "has no scheme" if not colon else "is malformed", text)
        return cls(other.group(1).lower(), opaque=other.group(2))

    @classmethod
    def sip(
        cls, username: str | None, host: str, port: int | None = None, *, params: Params = (), scheme: str = "sip"
    ) -> Uri:
        """A SIP URI from readable parts: `username` is escaped, an IPv6 `host` gets its brackets."""
        if ":" in host and not host.startswith("["):
            host = f"[{host}]"
        if not _HOST_ONLY.fullmatch(host):
            raise SyntaxFault("SIP URI", "has a malformed host", host)
        return cls(scheme, None if username is None else escape(username, USER_ALLOWED), None, host, port, params)

    def __str__(self) -> str:
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        text = f"{self.scheme}:"
        if self.user is not None:
            text += self.user if self.scheme == "tel" else self._userinfo()
        text += self.host
        if self.port is not None:
            text += f":{self.port}"
        for name, value in self.params:
            text += f";{name}" if value is None else f";{name}={value}"
        if self.headers:
            text += "?" + "&".join(f"{name}={value}" for name, value in self.headers)
        return text

    def _userinfo(self) -> str:
        return f"{self.user}@" if self.password is None else f"{self.user}:{self.password}@"

    @property
    def username(self) -> str | None:
        """The user part with its escapes undone, for look-ups and people; it may hold any character, NUL included."""
        return None if self.user is None else unescape(self.user)

    def param(self, name: str) -> str | None:
        """The value of a URI parameter (unescaped); `""` for a flag such as `lr`, `None` if it is not there."""
        value = find_param(self.params, name)
        return value if value is None else unescape(value)

    def has(self, name: str) -> bool:
        """Whether the URI parameter is there, with a value or without."""
        return find_param(self.params, name) is not None

    def with_(self, **changes: Any) -> Uri:
        """A copy with fields changed."""
        return replace(self, **changes)

    def with_param(self, name: str, value: str | None = None) -> Uri:
        """A copy with one parameter set, escaped as a URI wants it."""
        escaped = None if value is None else escape(value, "[]/:&+$")
        return replace(self, params=replace_param(self.params, name, escaped))

    @property
    def bare(self) -> Uri:
        """The address alone, without password, parameters and headers: what a registrar files under (section 10.3)."""
        return replace(self, password=None, params=(), headers=())

    def matches(self, other: Uri) -> bool:
        """Whether both name the same resource: RFC 3261 section 19.1.4 (RFC 3966 section 4 for `tel`)."""
        if self.scheme != other.scheme:
            return False
        if self.scheme == "tel":
            return _tel_key(self) == _tel_key(other)
        if self.scheme not in ("sip", "sips"):
            return self.opaque == other.opaque
        return (
            _normal(self.user) == _normal(other.user)
            and _normal(self.password) == _normal(other.password)
            and self.host.lower() == other.host.lower()
            and self.port == other.port
            and _params_match(self.params, other.params)
            and _headers_key(self) == _headers_key(other)
        )


def _port(text: str, uri: str) -> int:
    port = int(text)
    if port > PORT_MAX:
        raise SyntaxFault("SIP URI", f"has a port above {PORT_MAX}", uri)
    return port


def _params(text: str) -> Params:
    params: list[tuple[str, str | None]] = []
    for piece in text.split(";")[1:]:
        name, equals, value = piece.partition("=")
        params.append((name, value if equals else None))
    return tuple(params)


def _headers(text: str, uri: str) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for piece in text.split("&"):
        name, equals, value = piece.partition("=")
        if not name or not equals or "=" in value:
            raise SyntaxFault("SIP URI", "has malformed headers", uri)
        headers.append((name, value))
    return tuple(headers)


def _normal(text: str | None) -> str | None:
    return None if text is None else normal_escapes(text)


def _param_table(params: Params) -> dict[str, str | None]:
    return {
        normal_escapes(name).lower(): None if value is None else normal_escapes(value).lower() for name, value in params
    }


def _params_match(ours: Params, theirs: Params) -> bool:
    if not ours and not theirs:
        return True
    left, right = _param_table(ours), _param_table(theirs)
    if any((name in left) != (name in right) for name in _DECISIVE_PARAMS):
        return False
    return all(right[name] == value for name, value in left.items() if name in right)


def _headers_key(uri: Uri) -> list[tuple[str, str]]:
    return sorted((normal_escapes(name).lower(), normal_escapes(value)) for name, value in uri.headers)


def _tel_key(uri: Uri) -> tuple[str, list[tuple[str, str | None]]]:
    number = (uri.user or "").translate(_TEL_SEPARATORS).lower()
    return number, sorted(_param_table(uri.params).items(), key=lambda pair: pair[0])
