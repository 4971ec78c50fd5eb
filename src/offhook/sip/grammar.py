"""The words of RFC 3261 section 25.1 that every header shares: token, quoted string, parameters, lists, escapes.

Input is one unfolded header value (folding is undone by the parser). Every expression here runs in time linear in its
input. It refuses to know any particular header.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from offhook.sip.errors import SyntaxFault

Params = tuple[tuple[str, str | None], ...]
"""Parameters in order, names and values as they were written (a quoted value keeps its quotes); `None` for a flag."""

NUMBER_MAX_DIGITS: Final = 10
"""No number of SIP needs more digits; a longer one is refused before Python converts it."""

_TOKEN_CHARS: Final = r"A-Za-z0-9\-.!%*_+`'~"
_TOKEN = re.compile(rf"[{_TOKEN_CHARS}]+")
_WORD_CHARS: Final = _TOKEN_CHARS + r"()<>:\\\"/\[\]?{}"
_TOKEN_LIST = re.compile(rf"[ \t]*+(?:[{_TOKEN_CHARS}]++[ \t]*+)?(?:,[ \t]*+(?:[{_TOKEN_CHARS}]++[ \t]*+)?)*+")
_CALL_ID = re.compile(rf"[{_WORD_CHARS}]+(?:@[{_WORD_CHARS}]+)?")
_QUOTED = re.compile(r'"((?:[^"\\\r\n]|\\[^\r\n])*+)"')
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_DISPLAY_TOKENS = re.compile(rf"[{_TOKEN_CHARS}]+(?:[ \t]+[{_TOKEN_CHARS}]+)*")
# Liberal in the value (RFC 3261 wants a token, a host or a quoted string): peers send e.g. bare IPv6 and base64.
_PARAM = re.compile(
    rf"[ \t]*;[ \t]*([{_TOKEN_CHARS}]+)(?:[ \t]*=[ \t]*"
    r'("(?:[^"\\\r\n]|\\[^\r\n])*+"|[^\x00-\x20\x7f";,<>]+))?[ \t]*'
)
_LIST_PIECE = re.compile(r'(?:[^",<]++|"(?:[^"\\]|\\.)*+"|<[^>]*+>)*+', re.DOTALL)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DIGITS = re.compile(r"[0-9]+")


def is_token(text: str) -> bool:
    """Whether `text` is one `token`: a method, an option tag, a header name."""
    return _TOKEN.fullmatch(text) is not None


def is_call_id(text: str) -> bool:
    """Whether `text` is a `callid`: a word, or two around an at sign."""
    return _CALL_ID.fullmatch(text) is not None


def is_display_tokens(text: str) -> bool:
    """Whether a display name may stand without quotes (`*(token LWS)`)."""
    return _DISPLAY_TOKENS.fullmatch(text) is not None


def number(what: str, text: str, *, maximum: int) -> int:
    """A decimal number from 0 to `maximum`; anything else is a `SyntaxFault` named `what`."""
    if not _DIGITS.fullmatch(text):
        raise SyntaxFault(what, "is not a decimal number", text)
    digits = text.lstrip("0")
    if len(digits) > NUMBER_MAX_DIGITS or int(digits or "0") > maximum:
        raise SyntaxFault(what, f"is larger than {maximum}", text)
    return int(digits or "0")


def quote(text: str) -> str:
    """`text` as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The inside of a quoted string; text that has no quotes comes back as it is."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        inner = text[1:-1]
        return _QUOTED_PAIR.sub(r"\1", inner) if "\\" in inner else inner
    return text


def quoted_prefix(what: str, text: str) -> tuple[str, str]:
    """Split `text`, which begins with a double quote, into the string's content and what follows it."""
    found = _QUOTED.match(text)
    if found is None:
        raise SyntaxFault(what, "has a quoted string without its end", text)
    return unquote(found.group()), text[found.end() :]


def parse_params(what: str, text: str) -> Params:
    """`*( SEMI generic-param )`, nothing before and nothing behind."""
    if not text or text.isspace():
        return ()
    params: list[tuple[str, str | None]] = []
    position = 0
    while position < len(text):
        found = _PARAM.match(text, position)
        if found is None:
            raise SyntaxFault(what, "has malformed parameters", text[position:])
        params.append((found.group(1), found.group(2)))
        position = found.end()
    return tuple(params)


def format_params(params: Params) -> str:
    """The inverse of `parse_params`."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)


def find_param(params: Params, name: str) -> str | None:
    """The (unquoted) value of the parameter `name`, in any case; `""` for a flag, `None` if it is not there."""
    for key, value in params:
        if key == name or key.lower() == name.lower():
            return "" if value is None else unquote(value)
    return None


def replace_param(params: Params, name: str, value: str | None) -> Params:
    """`params` with `name` set to `value`, in its place or at the end, quoted where it must be; `None` is a flag."""
    if value is not None and not _PARAM.fullmatch(f";{name}={value}"):
        value = quote(value)
    lowered = name.lower()
    if any(key.lower() == lowered for key, _ in params):
        return tuple((key, value if key.lower() == lowered else old) for key, old in params)
    return (*params, (name, value))


def remove_param(params: Params, name: str) -> Params:
    """`params` without `name`."""
    lowered = name.lower()
    return tuple(pair for pair in params if pair[0].lower() != lowered)


def split_list(what: str, text: str) -> list[str]:
    """The comma-separated elements of a value, stripped; commas in quotes or angle brackets do not separate.

    Empty elements are kept, since only the header knows whether it allows them.
    """
    if '"' not in text and "<" not in text:
        return [piece.strip(" \t") for piece in text.split(",")]
    pieces: list[str] = []
    position = 0
    while True:
        found = _LIST_PIECE.match(text, position)
        end = found.end() if found else position
        pieces.append(text[position:end].strip(" \t"))
        if end == len(text):
            return pieces
        if text[end] != ",":
            raise SyntaxFault(what, "has an unbalanced quote or bracket", text[end:])
        position = end + 1


def token_list(what: str, values: Iterable[str]) -> tuple[str, ...]:
    """The tokens of one or more comma-separated lines; empty elements are let pass, as everybody does."""
    tokens: list[str] = []
    for line in values:
        if not _TOKEN_LIST.fullmatch(line):
            raise SyntaxFault(what, "is not a list of tokens", line)
        tokens += _TOKEN.findall(line)
    return tuple(tokens)


def has_bad_escape(text: str) -> bool:
    """Whether a percent sign stands without its two hex digits."""
    return "%" in text and _BAD_ESCAPE.search(text) is not None


def unescape(text: str) -> str:
    """`%HH` undone, once, as UTF-8; octets that are not UTF-8 become surrogates, which `escape` takes back."""
    if "%" not in text:
        return text
    raw = text.encode("utf-8", "surrogateescape")
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes((int(m.group(1), 16),)), raw).decode(
        "utf-8", "surrogateescape"
    )


def escape(text: str, allowed: str) -> str:
    """`text` with every character that is not unreserved, nor in `allowed`, as `%HH` of its UTF-8."""
    safe = _UNRESERVED | frozenset(allowed)
    if all(char in safe for char in text):
        return text
    return "".join(
        char if char in safe else "".join(f"%{octet:02X}" for octet in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def normal_escapes(text: str) -> str:
    """Needless escapes undone and the rest in capitals, so that equal texts are equal (RFC 3261 section 19.1.4)."""

    def once(found: re.Match[str]) -> str:
        char = chr(int(found.group(1), 16))
        return char if char in _UNRESERVED else f"%{found.group(1).upper()}"

    return _ESCAPE.sub(once, text) if "%" in text else text


def readable(text: str) -> str:
    """`text` fit for people, a database or JSON: octets that were not UTF-8 become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
