"""A request of the DIDforSale API, read leniently: form, JSON or multipart, names in any case, the key in four places.

What is documented contradicts itself ("post headers", "post variables"), and the service's own library sends JSON, so
all of it is taken. Errors are JSON: `{"status": false, "message": …}`. The key is never repeated in one.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope

from offhook.flow.dialects.choose import DIALECTS, read_start
from offhook.flow.dialects.dialect import Reading
from offhook.flow.dialects.urls import absolute_url
from offhook.flow.document import Document
from offhook.flow.errors import DocumentError
from offhook.flow.targets import LegStage, StatusHook
from offhook.web.http import MAX_PARAMETERS, Answer, basic_credentials, header, read_body

__all__ = ["DIDFORSALE_PATHS", "DidforsaleError", "DidforsaleRequest", "failure", "is_didforsale", "read_request"]

DIDFORSALE_PATHS = ("/didforsaleapi/index.php/api/V2/CallTermination", "/api/V2/CallTermination")
"""As documented, and short."""
SDK_SECOND_CALL = "v2/calltermination"
"""The service's PHP library appends this to the address once more at each further call of one client."""
MAX_DIGITS = 200
MAX_EXTRA_CHARS = 2000
_NUMBER = re.compile(r"\+?[1-9][0-9]{6,14}")
_SEPARATORS = str.maketrans("", "", " \t-.()/")
_DIGITS = re.compile(r"[0-9*#A-DwW]*")
_WAITS = {"w": "P", "W": "PP"}
"""Half a second and a second, in the marks of `SentDigits`."""
_KEY = "apikey"

Multi = Mapping[str, tuple[str, ...]]


def is_didforsale(path: str) -> bool:
    """Whether a path is one of this API."""
    found = path.lower().rstrip("/")
    while found.endswith(f"calltermination{SDK_SECOND_CALL}"):
        found = found.removesuffix(SDK_SECOND_CALL)
    return found in [known.lower() for known in DIDFORSALE_PATHS]


class DidforsaleError(Exception):
    """Answered as a status and JSON with a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


def failure(status: int, sentence: str, *headers: tuple[bytes, bytes]) -> Answer:
    """The answer to a request that was not carried out."""
    answer = Answer.json({"status": False, "message": sentence}, status)
    return Answer(answer.status, answer.body, answer.content_type, headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class DidforsaleRequest:
    """One request, its names in lower case."""

    params: Multi
    key: str | None
    """The API key, wherever it stood: body, query, header, or the user of Basic authentication."""

    def get(self, name: str) -> str:
        """A parameter without blanks around it; empty if it was not sent. Of a repeated one, the last."""
        values = self.params.get(name.lower(), ())
        return values[-1].strip() if values else ""

    def required(self, name: str) -> str:
        """A parameter that must be there. Raises `DidforsaleError`."""
        value = self.get(name)
        if not value:
            raise DidforsaleError(400, f"Missing parameter: {name}")
        return value

    def number(self, name: str) -> str:
        """A number in E.164; the `+` may be left out, separators are passed over. Raises `DidforsaleError`."""
        bare = self.required(name).translate(_SEPARATORS)
        if not _NUMBER.fullmatch(bare):
            raise DidforsaleError(
                400, f"Invalid parameter: {name}: write a number with its country code, such as 19499300360"
            )
        return f"+{bare.removeprefix('+')}"

    def url(self, name: str) -> str | None:
        """An absolute URL; `None` if it was not sent. Raises `DidforsaleError`."""
        text = self.get(name)
        if not text:
            return None
        url = absolute_url(text, "")
        if url is None:
            raise DidforsaleError(400, f"Invalid parameter: {name}: write an absolute http or https URL")
        return url

    def method(self, name: str) -> str:
        """POST, unless GET was asked for. Raises `DidforsaleError`."""
        text = self.get(name).upper() or "POST"
        if text not in ("GET", "POST"):
            raise DidforsaleError(400, f"Invalid parameter: {name}: write GET or POST")
        return text

    def start(self, name: str) -> Document | Reading | None:
        """A URL or a document written out; `None` if it was not sent. Raises `DidforsaleError`."""
        text = self.get(name)
        if not text:
            return None
        try:
            return read_start(text, DIALECTS["didml"], key=name)
        except DocumentError as error:
            raise DidforsaleError(400, f"Invalid parameter: {name}: {error}") from None

    def yes(self, name: str) -> bool:
        """`true`, `1`, `on` or `yes`; anything else is no, but what is no word for it at all is an error."""
        text = self.get(name).lower()
        if text in ("true", "1", "on", "yes"):
            return True
        if text in ("", "false", "0", "off", "no"):
            return False
        raise DidforsaleError(400, f"Invalid parameter: {name}: write true or false")

    def digits(self, name: str) -> str:
        """Keys to be sent, `w` and `W` being half a second and a second of silence. Raises `DidforsaleError`."""
        text = self.get(name)
        if not _DIGITS.fullmatch(text) or len(text) > MAX_DIGITS:
            raise DidforsaleError(
                400, f"Invalid parameter: {name}: at most {MAX_DIGITS} of 0-9, *, #, w (half a second), W (a second)"
            )
        return "".join(_WAITS.get(mark, mark) for mark in text)

    def status_hook(self) -> StatusHook | None:
        """Who is told of each leg's progress; `None` without `statusCallback`. Raises `DidforsaleError`."""
        url = self.url("statusCallback")
        method = self.method("statusCallbackMethod")
        if url is None:
            return None
        return StatusHook(url=url, method=method, stages=self._stages(), extra=self._extra())

    def _stages(self) -> frozenset[LegStage]:
        """Commas, blanks, repeated fields and arrays separate; unknown words are passed over."""
        words = re.split(r"[\s,;|]+", " ".join(self.params.get("statuscallbackevent", ())).lower())
        known = frozenset(stage for stage in LegStage if stage.value in words)
        return known or frozenset({LegStage.COMPLETED})

    def _extra(self) -> tuple[tuple[str, str], ...]:
        """The secret key as `apikey`, and the optional token as the pairs it consists of, or under its own name."""
        secret, token = self.get("secretKey"), self.get("optional")
        if len(secret) + len(token) > MAX_EXTRA_CHARS:
            raise DidforsaleError(
                400, f"Invalid parameter: optional: together with secretKey at most {MAX_EXTRA_CHARS} characters"
            )
        extra = [(_KEY, secret)] if secret else []
        pairs = parse_qsl(token, keep_blank_values=True) if "=" in token else []
        extra += [pair for pair in pairs if pair[0] != _KEY] or ([("optional", token)] if token and not pairs else [])
        return tuple(extra)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def read_request(scope: Scope, receive: Receive) -> DidforsaleRequest:
    """A POST with its parameters. Raises `DidforsaleError`, `BodyTooLarge` and `ClientLeft`."""
    query = _folded(_pairs(scope["query_string"]))
    body = await read_body(scope, receive)
    kind = (header(scope, b"content-type") or b"").decode("latin-1")
    sent = _folded(await _body_pairs(body, kind))
    headers = Headers(scope=scope)
    basic = basic_credentials(scope)
    places = (sent.get(_KEY, ("",))[-1], query.get(_KEY, ("",))[-1], headers.get(_KEY, ""), basic[0] if basic else "")
    key = next((place.strip() for place in places if place.strip()), None)
    return DidforsaleRequest(params={**query, **sent}, key=key)


async def _body_pairs(body: bytes, kind: str) -> list[tuple[str, str]]:
    if kind.lower().startswith("multipart/"):
        return await _multipart(body, kind)
    # The service's library says what it sends; others send JSON and call it a form.
    if kind.lower().startswith("application/json") or body.lstrip()[:1] == b"{":
        return _json(body)
    return _pairs(body)


def _pairs(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            text.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise DidforsaleError(400, f"More than {MAX_PARAMETERS} parameters") from None


def _json(body: bytes) -> list[tuple[str, str]]:
    try:
        found = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise DidforsaleError(400, "The body is no valid JSON") from None
    if not isinstance(found, dict):
        raise DidforsaleError(400, "The body is JSON, and no object of parameters")
    return [(_whole(name), _whole(text)) for name, value in found.items() for text in _texts(name, value)]


def _whole(text: str) -> str:
    """Without half characters, which JSON can write and UTF-8 has not; in a form they are replaced too."""
    return text.encode("utf-8", "replace").decode()


def _texts(name: str, value: Any) -> list[str]:
    match value:
        case None:
            return []
        case bool():
            return ["true" if value else "false"]
        case str() | int() | float():
            return [str(value)]
        case list() if all(isinstance(part, str) for part in value):
            return list(value)
        case _:
            raise DidforsaleError(400, f"Invalid parameter: {name[:40]}: write a text or a number")


async def _multipart(body: bytes, kind: str) -> list[tuple[str, str]]:
    async def once() -> Any:
        yield body

    parser = MultiPartParser(Headers({"content-type": kind}), once(), max_files=0, max_fields=MAX_PARAMETERS)
    try:
        found = await parser.parse()
    except (MultiPartException, KeyError, ValueError, LookupError):
        raise DidforsaleError(400, "The body is no valid multipart form") from None
    return [(name, value) for name, value in found.multi_items() if isinstance(value, str)]


def _folded(pairs: list[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """By name in lower case; `statusCallbackEvent[]` is the same name."""
    folded: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        short = name.strip().lower().removesuffix("[]")
        folded[short] = (*folded.get(short, ()), value)
    return folded
