"""REST cases that are text: what is given, then requests and the answers they get, in turns.

`# given: …; …` furnishes a server (words below). A request part is `METHOD target`, then headers (`Name: value`), then
a form, one `name=value` a line, or `body: …` for a body as it is, or `multipart: name=value` lines. An answer part is
`STATUS content/type`, then headers that must be there (`no Name`: that must not), then the body: JSON or text. In JSON
a text `<name:kind>` stands for any value of that kind and keeps it, `<100 rows>` for a list of so many different ones;
`{name}` in a later part is a value that was kept (`{key}`: the API key of `main`). Requests are made by account `main`
unless a header `as:` says `sub`, `other`, `nobody` or `wrong`; `as: sub with SECRET` gives another secret.

After an answer may come a part `order`: what the switchboard was asked for, a `name: value` a line, or `order none`.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

from tests.support.asgi import Reply, ask, basic
from tests.support.board import Board
from tests.support.cases import Case

from offhook.config import load_settings
from offhook.flow.document import Document
from offhook.flow.targets import LegStage, NumberTarget, StatusHook
from offhook.flow.verbs import Dial
from offhook.storage.prices import read_price_list
from offhook.storage.rows import CallRow, RecordingRow
from offhook.storage.store import Storage
from offhook.web.app import create_web
from offhook.web.port import CallOrder

__all__ = ["API_KEY", "World", "run_case"]

MAIN, OTHER, SECRET = "u" + "1" * 32, "u" + "2" * 32, "S" * 32
API_KEY = "K" * 32
"""Of `main`."""
BOUNDARY = "divides-the-parts"
T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "

HEX = "[0-9a-f]{32}"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
KINDS = {
    "call": f"c{HEX}",
    "number": f"n{HEX}",
    "subaccount": f"a{HEX}",
    "charge": f"b{HEX}",
    "transaction": f"t{HEX}",
    "live_time": rf"{MOMENT}\.\d{{6}}",
    "stored_time": rf"{MOMENT}\.\d{{3}}000",
    "whole_time": MOMENT,
    "secret": "[0-9A-F]{32}",
    "phone": r"\+4600\d{7}",
    "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
}
PLACEHOLDER = re.compile(r"<(\w*):(\w+)>")
ROWS = re.compile(r"<(\d+) rows>")


class World:
    """A web on a real storage, with a switchboard that only takes orders."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.board = Board(storage)
        directory = storage.directory
        directory.add_account("Main", account_id=MAIN, secret=SECRET, api_key=API_KEY, email="main@example.com")
        directory.add_account("Other", account_id=OTHER, secret=SECRET)
        self.vars = {"main": MAIN, "other": OTHER, "key": API_KEY, "secret": SECRET}
        self.dev = False
        self.prices = ["+46,0,5700"]

    def give(self, words: str) -> None:
        """One of the givens of a case."""
        kind, *rest = words.split()
        getattr(self, "_" + kind.replace("-", "_"))(*rest)

    def app(self) -> Any:
        settings = load_settings(data_dir=self.storage.data_dir, dev=self.dev)
        return create_web(self.board, self.storage, settings, read_price_list(self.prices))

    def _dev(self) -> None:
        self.dev = True

    def _full(self) -> None:
        self.board.full = True

    def _broken(self) -> None:
        self.board.broken = True

    def _balance(self, amount: str) -> None:
        self.storage.directory.set_balance(MAIN, int(amount))

    def _charge(self, cost: str, owner: str = "main") -> None:
        self.storage.directory.charge(self.vars[owner], int(cost), "/Calls/c" + "0" * 32)

    def _sub(self, limit: str = "none") -> None:
        usage_limit = None if limit == "none" else int(limit)
        row = self.storage.directory.add_subaccount(MAIN, "Sub", secret=SECRET, usage_limit=usage_limit)
        self.vars["sub"] = row.id

    def _subs(self, count: str) -> None:
        for n in range(int(count)):
            self.storage.directory.add_subaccount(MAIN, f"Sub {n}", secret=f"{n:032d}")

    def _mobile(self, number: str) -> None:
        """The number that an account signed up with: `main` is another account then."""
        self.vars["main"] = self.vars["mobile"] = "u" + "3" * 32
        self.storage.directory.add_account(
            "Mobile", account_id=self.vars["mobile"], secret=SECRET, mobile_number=number
        )

    def _number(self, number: str, owner: str = "main", cost: str = "0") -> None:
        row = self.storage.directory.add_number(number, account=self.vars[owner], country="se", cost=int(cost))
        self.vars["n" + number[1:]] = row.id

    def _numbers(self, count: str) -> None:
        for n in range(int(count)):
            self._number(f"+461000{n:05d}")

    def _free(self, number: str, country: str = "se", category: str = "fixed", capabilities: str = "voice") -> None:
        self.storage.directory.add_number(
            number, country=country, category=category, capabilities=tuple(capabilities.split(",")), pooled=True
        )

    def _caller_id(self, number: str, owner: str = "main") -> None:
        self.storage.directory.add_caller_id(self.vars[owner], number)

    def _calls(self, count: str, owner: str = "main") -> None:
        """Ended calls, a second apart, the first at noon."""
        for n in range(int(count)):
            self._save(n, self.vars[owner], "failed", {})

    def _answered_call(self, owner: str = "main") -> None:
        more = {
            "started": T0 + timedelta(seconds=5, microseconds=123456),
            "ended": T0 + timedelta(seconds=12, microseconds=123456),
            "cost": 5700,
            "ring_timeout_s": 25,
            "actions": ({"connect": "+46700000003", "result": "success"},),
            "legs": ({"duration": 3, "to": "+46700000003", "state": "success", "from": "+46100000001"},),
            "recordings": (f"{0:032x}-r0",),
        }
        self._save(0, self.vars[owner], "success", more)

    def _save(self, n: int, owner: str, state: str, more: dict[str, Any]) -> None:
        row = CallRow(
            id=f"{n:032x}",
            owner=owner,
            direction="outgoing",
            from_number="+46100000001",
            to_number="+46700000002",
            created=T0 + timedelta(seconds=n, microseconds=123456),
            state=state,
            **more,
        )
        self.storage.records.save_call(row)

    def _recording(self, number: str, owner: str = "main", expires: str = "later") -> None:
        folder = self.storage.recordings_dir
        folder.mkdir(exist_ok=True)
        name = f"{0:032x}-r{number}.wav"
        if expires != "lost":
            (folder / name).write_bytes(WAV)
        now = datetime.now(UTC)
        row = RecordingRow(
            call_id=f"{0:032x}",
            number=int(number),
            owner=self.vars[owner],
            path=name,
            created=T0 + timedelta(seconds=int(number)),
            duration_s=1.6,
            bytes=len(WAV),
            expires=now - timedelta(seconds=1) if expires == "expired" else now + timedelta(days=1),
        )
        self.storage.records.save_recording(row)


async def run_case(case: Case, storage: Storage, asks: str = "main") -> None:
    """Runs it; fails with what came instead. `asks`: who makes the requests that do not say."""
    world = World(storage)
    for words in filter(None, (words.strip() for words in case.headers.get("given", "").split(";"))):
        world.give(words)
    app = world.app()
    parts = iter(case.parts)
    for part in parts:
        if part.partition("\n")[0] in ("order", "order none"):
            _compare_orders(world, part)
            continue
        expected = next(parts, None)
        assert expected is not None, "a request without its answer"
        _compare(world, await _send(world, app, part, asks), expected)


async def _send(world: World, app: Any, text: str, asks: str) -> Reply:
    first, *lines = _filled(world, text).splitlines()
    method, target = first.split(" ", 1)
    headers, fields, pieces, body, secret = {}, [], [], None, SECRET
    for line in lines:
        if line.startswith("body: "):
            body = line.removeprefix("body: ").encode()
        elif line.startswith("multipart: "):
            name, _, value = line.removeprefix("multipart: ").partition("=")
            pieces.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n')
        elif line.startswith("as: "):
            asks, _, given = line.removeprefix("as: ").partition(" with ")
            secret = given or SECRET
        elif match := re.fullmatch(r"([A-Za-z-]+): (.*)", line):
            headers[match[1].lower()] = match[2]
        elif line:
            name, _, value = line.partition("=")
            fields.append(f"{quote_plus(name)}={quote_plus(value)}")
    match asks:
        case "nobody":
            pass
        case "wrong":
            headers |= basic(MAIN, "wrong")
        case _:
            headers |= basic(world.vars[asks], secret)
    if pieces:
        body = f"{''.join(pieces)}--{BOUNDARY}--\r\n".encode()
        headers["content-type"] = f"multipart/form-data; boundary={BOUNDARY}"
    if body is None:
        body = "&".join(fields).encode()
        if fields:
            headers.setdefault("content-type", "application/x-www-form-urlencoded")
    return await ask(app, method, target, body, headers)


# ── what the switchboard was asked for ───────────────────────────────────────────────────────────────────────────────


def _compare_orders(world: World, part: str) -> None:
    first, *lines = _filled(world, part).splitlines()
    if first == "order none":
        assert world.board.orders == []
        return
    assert world.board.orders, "no call was asked for"
    said = dict(_said_of(world.board.orders.pop(0)))
    for line in lines:
        name, _, value = line.partition(": ")
        assert said.get(name, "") == value, said


def _said_of(order: CallOrder) -> Iterator[tuple[str, str]]:
    yield "from", order.from_
    yield "to", order.to
    yield "rings", f"{order.ring_timeout_s} s"
    yield "lasts", f"{order.time_limit_s} s"
    yield "record", "yes" if order.record else "no"
    yield "sends", order.send_digits or "nothing"
    yield "told", _hook(order.told)
    match order.start:
        case Document(url=url, method=method):
            yield "then", f"{method} {url}"
        case reading:
            assert reading.flow is not None
            (step,) = reading.flow.steps
            assert isinstance(step.verb, Dial)
            (target,) = step.verb.targets
            assert isinstance(target, NumberTarget)
            yield "then", f"dial {target.number}"
            yield "it rings", f"{step.verb.ring_timeout_s} s"
            yield "it lasts", f"{step.verb.time_limit_s} s"
            yield "it tells", _hook(target.treatment.told)


def _hook(told: StatusHook | None) -> str:
    """`POST https://… initiated,completed name=value …`."""
    if told is None:
        return "nobody"
    stages = ",".join(stage.value for stage in LegStage if stage in told.stages)
    return " ".join([told.method, told.url, stages, *(f"{name}={value}" for name, value in told.extra)])


def _filled(world: World, text: str) -> str:
    for name, value in world.vars.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _compare(world: World, reply: Reply, expected: str) -> None:
    head, _, body = _filled(world, expected).partition("\n")
    status, _, content_type = head.partition(" ")
    assert (reply.status, reply.headers.get("content-type", "").partition(";")[0]) == (int(status), content_type), reply
    lines = body.splitlines()
    while lines and (match := re.fullmatch(r"(?:no ([A-Z][A-Za-z-]+)|([A-Z][A-Za-z-]+): (.*))", lines[0])):
        if match[1]:
            assert match[1].lower() not in reply.headers, reply
        else:
            assert reply.headers.get(match[2].lower()) == match[3], reply
        lines.pop(0)
    body = "\n".join(lines)
    if content_type == "application/json":
        found, wanted = json.loads(reply.body), json.loads(body)
        _match(world, found, wanted, "")
    elif content_type == "audio/wav":
        assert reply.body.decode("ascii").encode("unicode_escape").decode() == body
    else:
        assert reply.text == body


def _match(world: World, found: Any, wanted: Any, place: str) -> None:
    if isinstance(wanted, dict) and isinstance(found, dict):
        assert found.keys() == wanted.keys(), place
        for name, value in wanted.items():
            _match(world, found[name], value, f"{place}.{name}")
    elif isinstance(wanted, list) and isinstance(found, list):
        assert len(found) == len(wanted), place
        for n, (one, other) in enumerate(zip(found, wanted, strict=True)):
            _match(world, one, other, f"{place}[{n}]")
    elif isinstance(wanted, str) and (match := ROWS.fullmatch(wanted)):
        assert len({row["id"] for row in found}) == len(found) == int(match[1]), place
    elif isinstance(wanted, str) and (match := PLACEHOLDER.fullmatch(wanted)):
        assert isinstance(found, str), place
        assert re.fullmatch(KINDS[match[2]], found), f"{place}: {found!r} is no {match[2]}"
        if match[1]:
            world.vars[match[1]] = found
    else:
        assert found == wanted, place
