"""Whom a didML `dial` calls, or which room it goes to: number, sip, client, queue, enqueue, conference, bare text.

Says how each party is treated (its own caller ID, times, digits, whisper, status events). Several parties ring at once,
at most `MAX_RINGING`; a room is for one verb alone.
"""

import re
from dataclasses import dataclass, replace
from types import MappingProxyType

from offhook.flow.dialects.didml_tree import Element
from offhook.flow.dialects.didml_values import (
    MAX_SENT_KEYS,
    Attributes,
    Source,
    caller_id,
    event_words,
    sent_keys,
    sip_target,
    target,
)
from offhook.flow.document import Document
from offhook.flow.errors import excerpt
from offhook.flow.targets import LegStage, PhoneTarget, StatusHook, Target, Treatment, UnusableTarget
from offhook.flow.verbs import Beeps, Conference, Enqueue, TakeFromQueue

__all__ = [
    "MAX_RINGING",
    "PARTIES",
    "RING_DEFAULT_S",
    "RING_MAX_S",
    "ROOMS",
    "TALK_DEFAULT_S",
    "TALK_MAX_S",
    "Called",
    "called",
    "party_of",
    "room",
]

RING_DEFAULT_S = 30.0
RING_MAX_S = 600.0
TALK_DEFAULT_S = 4 * 3600.0
TALK_MAX_S = 86_400.0
MAX_RINGING = 10
"""Parties that ring at once."""
MAX_PARTIES = 250
"""Of a conference; as in TwiML."""
MAX_ROOM_CHARS = 64

PARTIES = ("number", "sip", "client")
ROOMS = ("queue", "enqueue", "conference")

_USER = re.compile(r"\+?([^\s@+<>\"]{1,64})")
_ROOM = re.compile(r"[^\W_]+")
_STAGES = {stage.value: stage for stage in LegStage}
_BEEPS = MappingProxyType({"onenter": Beeps.ENTER, "onexit": Beeps.EXIT})

Room = Enqueue | TakeFromQueue | Conference


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """What stands in a `dial`."""

    targets: tuple[Target, ...] = ()
    room: Room | None = None
    action: Document | None = None
    """Of the first number that has one, for a `dial` without (an older page of the service has it there)."""


def called(dial: Element, source: Source, *, ring_s: float, talk_s: float) -> Called:
    """Parties, or one room. A `dial` of nobody calls somebody who cannot be called, so that its action runs."""
    targets: list[Target] = [] if not dial.text else [_said(target(dial.text), dial, source)]
    rooms: list[Element] = []
    action: Document | None = None
    for child in dial.children:
        if child.name in PARTIES:
            party, own_action = party_of(child, source)
            targets.append(party)
            action = action or own_action
        elif child.name in ROOMS:
            rooms.append(child)
        else:
            source.warn(child, f"<{excerpt(child.name)}> means nothing inside <{dial.name}> and was skipped.")
    if rooms:
        if targets or len(rooms) > 1:
            source.warn(dial, f"<{rooms[0].name}> stands alone in <{dial.name}>; what stands beside it was skipped.")
        return Called(room=room(rooms[0], source, ring_s=ring_s, talk_s=talk_s))
    if len(targets) > MAX_RINGING:
        source.warn(dial, f"<{dial.name}> has {len(targets)} parties; the first {MAX_RINGING} are called.")
    if not targets:
        source.warn(dial, f"<{dial.name}> calls nobody.")
    return Called(targets=tuple(targets[:MAX_RINGING]) or (UnusableTarget(text=""),), action=action)


# ── parties ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def party_of(element: Element, source: Source) -> tuple[Target, Document | None]:
    """Who a `number`, `sip` or `client` is, how they are treated, and the `action` that stands there."""
    source.inside(element)
    attributes = Attributes(element, source)
    treated = treatment(attributes)
    action = attributes.document("action")
    attributes.done()
    text = element.text
    party: Target
    match element.name:
        case "sip":
            party = sip_target(text)
        case "client":
            found = _USER.fullmatch(text)
            party = UnusableTarget(text=text) if found is None else PhoneTarget(user=found[1])
        case _:
            party = target(text)
    return _treated(_said(party, element, source), treated), action


def _said(party: Target, element: Element, source: Source) -> Target:
    if isinstance(party, UnusableTarget):
        source.warn(element, f"“{excerpt(party.text)}” in <{element.name}> cannot be called.")
    return party


def _treated(party: Target, treated: Treatment) -> Target:
    return replace(party, treatment=treated)


def treatment(attributes: Attributes) -> Treatment:
    """What the attributes of a party say; what they do not say is the dial's."""
    keys, strange = sent_keys(attributes.text("senddigits"))
    if strange or len(keys) > MAX_SENT_KEYS:
        attributes.warn(f"`senddigits` takes digits, *, #, w and W, at most {MAX_SENT_KEYS}; the rest is not sent.")
    return Treatment(
        caller_id=caller_id(attributes.text("callerid")),
        ring_timeout_s=_own_seconds(attributes, "timeout", "timout", default=RING_DEFAULT_S, high=RING_MAX_S),
        time_limit_s=_own_seconds(attributes, "maxlength", "timelimit", default=TALK_DEFAULT_S, high=TALK_MAX_S),
        send_digits=keys[:MAX_SENT_KEYS],
        briefing=attributes.document("url"),
        record=attributes.flag("record", default=False),
        told=status_hook(attributes),
    )


def _own_seconds(attributes: Attributes, *names: str, default: float, high: float) -> float | None:
    if not attributes.given(*names):
        return None
    return attributes.seconds(*names, default=default, low=1, high=high)


def status_hook(attributes: Attributes) -> StatusHook | None:
    """Who is told of a leg: without `statusCallback` nobody, without `statusCallbackEvent` of its end alone."""
    words = event_words(attributes.text("statuscallbackevent"))
    method = attributes.method("statuscallbackmethod")
    url = attributes.told_url("statuscallback")
    strange = [word for word in words if word not in _STAGES]
    if strange:
        attributes.warn(
            f"{excerpt(', '.join(strange))} is no event of `statusCallbackEvent`; there are {', '.join(_STAGES)}."
        )
    if url is None:
        return None
    stages = frozenset(_STAGES[word] for word in words if word in _STAGES)
    return StatusHook(url=url, method=method, stages=stages or frozenset({LegStage.COMPLETED}))


# ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def room(element: Element, source: Source, *, ring_s: float, talk_s: float) -> Room | None:
    """What a `queue`, `enqueue` or `conference` asks for; `None` for one without a name."""
    source.inside(element)
    name = element.text
    if not name or len(name) > MAX_ROOM_CHARS:
        source.warn(element, f"<{element.name}> must have a name of 1 to {MAX_ROOM_CHARS} characters, and was skipped.")
        return None
    if not _ROOM.fullmatch(name):
        source.warn(element, f"“{excerpt(name)}” in <{element.name}> should be letters and digits alone.")
    attributes = Attributes(element, source)
    found: Room
    match element.name:
        case "queue":
            found = TakeFromQueue(
                queue=name, briefing=attributes.document("url"), timeout_s=ring_s, time_limit_s=talk_s
            )
        case "enqueue":
            found = Enqueue(queue=name, wait=attributes.document("waiturl", "waiturlmethod"))
        case _:
            found = _conference(name, attributes)
    attributes.done()
    return found


def _conference(name: str, attributes: Attributes) -> Conference:
    """Attributes and defaults are TwiML's; the service's page has none."""
    word = attributes.text("beep").lower()
    beeps = _BEEPS.get(word)
    if beeps is None:
        beeps = Beeps.BOTH if attributes.flag("beep", default=True) else Beeps.NONE
    most = attributes.count("maxparticipants", default=MAX_PARTIES, low=1, high=MAX_PARTIES)
    return Conference(
        room=name,
        muted=attributes.flag("muted", default=False),
        beeps=beeps,
        starts=attributes.flag("startconferenceonenter", default=True),
        ends=attributes.flag("endconferenceonexit", default=False),
        wait=attributes.document("waiturl", "waitmethod"),
        max_parties=most,
    )
