"""Digest authentication, both ways (RFC 3261 section 22, RFC 7616, and RFC 8760 for SHA-256 in SIP).

The client answers challenges and counts nonces; the server issues nonces that prove themselves (an HMAC over the time
and its own secret), so that it keeps nothing but a bounded guard against replay. Chance and time are arguments. It
refuses Basic, answers without `qop` to our challenges (section 22.4, item 8), and user name hashing, which it never
offers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import quote
from offhook.sip.headers.auth import AuthValue, Challenge, Credentials, format_auth_params, parse_authentication_info
from offhook.sip.message import Request, Response

NONCE_LIFE_S: Final = 300
REPLAY_GUARD_MAX_NONCES: Final = 10_000
NONCE_COUNT_MAX: Final = 0xFFFF_FFFF
ANSWERS_IN_A_ROW_MAX: Final = 3
"""How often a client follows a server that calls every answer stale."""
CHANCE_MIN_BYTES: Final = 8
EXPORT_VERSION: Final = 1


class Algorithm(Enum):
    """A digest algorithm, by the name that RFC 7616 gives it; the strongest first."""

    SHA256 = "SHA-256"
    SHA256_SESS = "SHA-256-sess"
    MD5 = "MD5"
    MD5_SESS = "MD5-sess"

    @classmethod
    def named(cls, name: str | None) -> Algorithm | None:
        """The algorithm of a challenge, in any case; MD5 if it names none (RFC 3261 section 22.4), `None` if
        unknown."""
        return _ALGORITHMS.get((name or "MD5").lower())

    @property
    def base(self) -> Algorithm:
        """The algorithm without its session variant: the one that a stored HA1 belongs to."""
        return Algorithm.SHA256 if self in (Algorithm.SHA256, Algorithm.SHA256_SESS) else Algorithm.MD5

    def hash(self, text: str | bytes) -> str:
        """Hexadecimal hash of `text`."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        if self.base is Algorithm.SHA256:
            return hashlib.sha256(data).hexdigest()
        return hashlib.md5(data, usedforsecurity=False).hexdigest()


_ALGORITHMS: Final = {algorithm.value.lower(): algorithm for algorithm in Algorithm}


def compute_ha1(algorithm: Algorithm, username: str, realm: str, password: str) -> str:
    """H(username:realm:password): what a server may keep in place of the password (RFC 7616 section 3.4.2)."""
    return algorithm.hash(f"{username}:{realm}:{password}")


def compute_response(
    algorithm: Algorithm,
    ha1: str,
    *,
    method: str,
    uri: str,
    nonce: str,
    qop: str | None = None,
    nonce_count: str = "",
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The `response` parameter (RFC 7616 section 3.4.1); without `qop` that of RFC 2069."""
    if algorithm is not algorithm.base:
        ha1 = algorithm.hash(f"{ha1}:{nonce}:{cnonce}")
    a2 = f"{method}:{uri}"
    if qop == "auth-int":
        a2 += f":{algorithm.hash(body)}"
    ha2 = algorithm.hash(a2)
    if qop is None:
        return algorithm.hash(f"{ha1}:{nonce}:{ha2}")
    return algorithm.hash(f"{ha1}:{nonce}:{nonce_count}:{cnonce}:{qop}:{ha2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Whom a client says it is; `realm` limits it to one, `None` answers any."""

    username: str
    password: str
    realm: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Space:
    """A protection space that has challenged us: what it wants, how often its nonce was used, refusals in a row."""

    proxy: bool
    realm: str
    nonce: str
    algorithm: Algorithm
    algorithm_named: bool
    qop: str | None
    opaque: str | None
    used: int = 0
    refusals: int = 0


class DigestClient:
    """Our half towards a trunk. One object per login; its nonce counters live as long as it does."""

    __slots__ = ("_login", "_spaces")

    def __init__(self, login: Login) -> None:
        self._login = login
        self._spaces: dict[tuple[bool, str], _Space] = {}

    def answer(self, request: Request, response: Response, *, cnonce: str) -> bool:
        """Put credentials for every 401 or 407 challenge of `response` into `request`, which is the one it refused.

        False, with the request as it was, if there is nothing that we can or should answer: another scheme, algorithm
        or realm, or our credentials were just refused (section 22.1). The caller raises CSeq and makes a new branch.
        """
        challenges = [(False, challenge) for challenge in _readable(response, proxy=False)]
        challenges += [(True, challenge) for challenge in _readable(response, proxy=True)]
        best: dict[tuple[bool, str], tuple[_Space, bool]] = {}
        for proxy, challenge in challenges:
            space = _space(proxy, challenge)
            if space is None or self._login.realm not in (None, space.realm):
                continue
            known = best.get((proxy, space.realm))
            if known is None or _STRENGTH[space.algorithm] < _STRENGTH[known[0].algorithm]:
                best[proxy, space.realm] = (space, (challenge.get("stale") or "").lower() == "true")
        ready: list[_Space] = []
        for key, (space, stale) in best.items():
            refusals = self._refusals(request, key, space, stale)
            if refusals is not None:
                ready.append(replace(space, refusals=refusals))
        for space in ready:
            self._spaces[space.proxy, space.realm] = space
            self._write(request, space, cnonce)
        return bool(ready)

    def prepare(self, request: Request, *, cnonce: str) -> None:
        """Put credentials into a new request for every space that has challenged us, counting its nonce on."""
        for space in list(self._spaces.values()):
            if space.used < NONCE_COUNT_MAX:
                self._write(request, space, cnonce)

    def learn(self, response: Response) -> None:
        """Take the next nonce from the Authentication-Info of a success, if there is one (RFC 7616 section 3.5)."""
        for name, proxy in (("Authentication-Info", False), ("Proxy-Authentication-Info", True)):
            raw = response.headers.get(name)
            if raw is None:
                continue
            try:
                nonce = parse_authentication_info(raw).get("nextnonce")
            except SyntaxFault:
                continue
            spaces = [space for key, space in self._spaces.items() if key[0] is proxy]
            if nonce and len(spaces) == 1:
                # The header names no realm, so that it can only be told whose it is when there is one.
                space = spaces[0]
                self._spaces[proxy, space.realm] = replace(space, nonce=nonce, used=0)

    def export(self) -> dict[str, Any]:
        """The counters as plain data, without the password."""
        return {
            "version": EXPORT_VERSION,
            "spaces": [
                {
                    "proxy": space.proxy,
                    "realm": space.realm,
                    "nonce": space.nonce,
                    "algorithm": space.algorithm.value,
                    "algorithm_named": space.algorithm_named,
                    "qop": space.qop,
                    "opaque": space.opaque,
                    "used": space.used,
                    "refusals": space.refusals,
                }
                for space in self._spaces.values()
            ],
        }

    @classmethod
    def restore(cls, login: Login, data: Mapping[str, Any]) -> DigestClient:
        """The client that `export` described; raises `ValueError` for another version."""
        if data["version"] != EXPORT_VERSION:
            raise ValueError(f"digest state of version {data['version']} cannot be read by version {EXPORT_VERSION}")
        client = cls(login)
        for item in data["spaces"]:
            space = _Space(**{**item, "algorithm": Algorithm(item["algorithm"])})
            client._spaces[space.proxy, space.realm] = space
        return client

    def _refusals(self, request: Request, key: tuple[bool, str], space: _Space, stale: bool) -> int | None:
        """How many answers in a row this would follow; `None` if another one is hopeless."""
        name = _CREDENTIALS[key[0]]
        for raw in request.headers.all(name):
            sent = Credentials.parse(raw, name)
            if sent.get("realm") != key[1]:
                continue
            known = self._spaces.get(key)
            refusals = 1 + (known.refusals if known is not None else 0)
            # With a nonce that was never used before, it is the password that was refused. An older one may have
            # expired, whether the server says so or not.
            fresh = sent.get("nc") in (None, "00000001")
            hopeless = sent.get("nonce") == space.nonce or (fresh and not stale) or refusals >= ANSWERS_IN_A_ROW_MAX
            return None if hopeless else refusals
        return 0

    def _write(self, request: Request, space: _Space, cnonce: str) -> None:
        used = space.used + 1
        self._spaces[space.proxy, space.realm] = replace(space, used=used)
        login = self._login
        count = f"{used:08x}"
        uri = request.raw_uri
        response = compute_response(
            space.algorithm,
            compute_ha1(space.algorithm, login.username, space.realm, login.password),
            method=request.method,
            uri=uri,
            nonce=space.nonce,
            qop=space.qop,
            nonce_count=count,
            cnonce=cnonce,
            body=request.body,
        )
        params = [
            ("username", quote(login.username)),
            ("realm", quote(space.realm)),
            ("nonce", quote(space.nonce)),
            ("uri", quote(uri)),
            ("response", quote(response)),
        ]
        if space.algorithm_named:
            params.append(("algorithm", space.algorithm.value))
        if space.opaque is not None:
            params.append(("opaque", quote(space.opaque)))
        if space.qop is not None:
            params += [("qop", space.qop), ("nc", count), ("cnonce", quote(cnonce))]
        elif space.algorithm is not space.algorithm.base:
            params.append(("cnonce", quote(cnonce)))
        name = _CREDENTIALS[space.proxy]
        others = [raw for raw in request.headers.all(name) if AuthValue.parse(raw, name).get("realm") != space.realm]
        request.headers.remove(name)
        for raw in (*others, f"Digest {format_auth_params(tuple(params))}"):
            request.headers.add(name, raw)


class Verdict(Enum):
    """What a server makes of credentials."""

    OK = "ok"
    STALE = "stale"
    """The secret is right and the nonce too old: challenge again with `stale=true`."""
    WRONG = "wrong"
    """The user or the secret is wrong: challenge again, and count it."""
    MALFORMED = "malformed"
    """Parameters are missing, doubled or of another algorithm than we offer: 400."""
    REPLAY = "replay"
    """The nonce count was used before: challenge again."""


class DigestServer:
    """Our half towards phones: one realm, one secret that other nodes and restarts may share.

    `secret` is at least 16 octets. Times are wall-clock seconds. The replay guard holds the highest count of each
    nonce in use; when it is full, the oldest are forgotten and every nonce as old as they is stale.
    """

    __slots__ = ("_algorithms", "_floor_ms", "_guard", "_guard_max", "_life_s", "_realm", "_secret")

    def __init__(
        self,
        *,
        realm: str,
        secret: bytes,
        nonce_life_s: float = NONCE_LIFE_S,
        algorithms: tuple[Algorithm, ...] = (Algorithm.SHA256, Algorithm.MD5),
        guard_max_nonces: int = REPLAY_GUARD_MAX_NONCES,
    ) -> None:
        if len(secret) < 16:
            raise ValueError("the nonce secret needs at least 16 octets")
        self._realm = realm
        self._secret = secret
        self._life_s = nonce_life_s
        self._algorithms = algorithms
        self._guard: OrderedDict[str, int] = OrderedDict()
        self._guard_max = guard_max_nonces
        self._floor_ms = -1

    @property
    def realm(self) -> str:
        """The realm of every challenge."""
        return self._realm

    def challenge(self, *, wall_s: float, chance: bytes, stale: bool = False) -> list[str]:
        """The values of WWW-Authenticate (or Proxy-Authenticate), one line each, the preferred algorithm first.

        `chance` is at least 8 octets that nobody can guess.
        """
        if len(chance) < CHANCE_MIN_BYTES:
            raise ValueError(f"a nonce needs at least {CHANCE_MIN_BYTES} octets of chance")
        head = f"{int(wall_s * 1000):x}.{chance.hex()}"
        nonce = f"{head}.{self._proof(head)}"
        lines: list[str] = []
        for algorithm in self._algorithms:
            params = [("realm", quote(self._realm)), ("nonce", quote(nonce)), ("algorithm", algorithm.value)]
            params.append(("qop", '"auth,auth-int"'))
            if stale:
                params.append(("stale", "true"))
            lines.append(f"Digest {format_auth_params(tuple(params))}")
        return lines

    def credentials(self, candidates: Iterable[Credentials]) -> Credentials | None:
        """The first Digest credentials for our realm, or `None`: others are not for us (section 22.3)."""
        return next((c for c in candidates if c.scheme == "digest" and c.get("realm") == self._realm), None)

    def verify(
        self, credentials: Credentials, *, method: str, body: bytes, ha1: Mapping[Algorithm, str], wall_s: float
    ) -> Verdict:
        """What `credentials`, from a request with this method and body, are worth.

        `ha1` holds the user's HA1 by (base) algorithm, and nothing for a user that does not exist. The `uri`
        parameter is not held against the Request-URI, which a proxy may have changed (section 22.4, item 5, leaves it
        to us).
        """
        get = credentials.get
        algorithm, qop, nonce, count = Algorithm.named(get("algorithm")), get("qop"), get("nonce"), get("nc")
        uri, cnonce, response = get("uri"), get("cnonce"), get("response")
        if algorithm is None or algorithm not in self._algorithms or qop not in ("auth", "auth-int"):
            return Verdict.MALFORMED
        if not (nonce and uri and cnonce and response and count) or not _is_count(count) or get("username") is None:
            return Verdict.MALFORMED
        known = ha1.get(algorithm.base)
        expected = compute_response(
            algorithm,
            known or "",
            method=method,
            uri=uri,
            nonce=nonce,
            qop=qop,
            nonce_count=count,
            cnonce=cnonce,
            body=body,
        )
        same = hmac.compare_digest(expected.encode(), response.lower().encode("utf-8", "surrogateescape"))
        if known is None or not same:
            return Verdict.WRONG
        return self._freshness(nonce, int(count, 16), int(wall_s * 1000))

    def _freshness(self, nonce: str, count: int, now_ms: int) -> Verdict:
        head, _, proof = nonce.rpartition(".")
        if not hmac.compare_digest(self._proof(head).encode(), proof.encode("utf-8", "surrogateescape")):
            # Not ours, or of an older secret: whoever knows the password may try again.
            return Verdict.STALE
        issued_ms = int(head.partition(".")[0], 16)
        if not 0 <= now_ms - issued_ms <= self._life_s * 1000:
            return Verdict.STALE
        last = self._guard.get(nonce)
        if last is None:
            if issued_ms <= self._floor_ms:
                return Verdict.STALE
            self._make_room(now_ms)
        elif count <= last:
            return Verdict.REPLAY
        self._guard[nonce] = count
        return Verdict.OK

    def _make_room(self, now_ms: int) -> None:
        while self._guard:
            oldest = next(iter(self._guard))
            issued_ms = int(oldest.partition(".")[0], 16)
            expired = now_ms - issued_ms > self._life_s * 1000
            if not expired and len(self._guard) < self._guard_max:
                return
            if not expired:
                self._floor_ms = max(self._floor_ms, issued_ms)
            del self._guard[oldest]

    def _proof(self, head: str) -> str:
        data = f"{self._realm}\0{head}".encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, data, hashlib.sha256).hexdigest()[:32]


_STRENGTH: Final = {algorithm: rank for rank, algorithm in enumerate(Algorithm)}
_CREDENTIALS: Final = {False: "Authorization", True: "Proxy-Authorization"}


def _readable(response: Response, *, proxy: bool) -> list[Challenge]:
    """The challenges that can be read; one that cannot must not hide a good one beside it."""
    name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
    found: list[Challenge] = []
    for raw in response.headers.all(name):
        try:
            found.append(Challenge.parse(raw, name))
        except SyntaxFault:
            continue
    return found


def _space(proxy: bool, challenge: Challenge) -> _Space | None:
    algorithm = Algorithm.named(challenge.get("algorithm"))
    realm, nonce = challenge.get("realm"), challenge.get("nonce")
    if challenge.scheme != "digest" or algorithm is None or realm is None or nonce is None:
        return None
    offered = [word.strip(" \t").lower() for word in (challenge.get("qop") or "").split(",")]
    qop = next((word for word in ("auth", "auth-int") if word in offered), None)
    if qop is None and offered != [""]:
        return None
    return _Space(
        proxy=proxy,
        realm=realm,
        nonce=nonce,
        algorithm=algorithm,
        algorithm_named=challenge.get("algorithm") is not None,
        qop=qop,
        opaque=challenge.get("opaque"),
    )


def _is_count(text: str) -> bool:
    return len(text) == 8 and all(char in "0123456789abcdefABCDEF" for char in text)
