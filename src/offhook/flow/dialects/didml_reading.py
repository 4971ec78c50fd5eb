"""didML documents (XML) in, flows out: each verb becomes one step or a few, which run one after another.

Lenient as the service's own samples need it (see `didml_xml` for syntax): unknown verbs and attributes are skipped and
named in warnings. What a number costs, or whether it may be called, is not known here. Defaults are those of the verbs'
pages; where those are silent, TwiML's.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from offhook.flow.dialects.dialect import Reading
from offhook.flow.dialects.didml_parties import (
    PARTIES,
    RING_DEFAULT_S,
    RING_MAX_S,
    ROOMS,
    TALK_DEFAULT_S,
    TALK_MAX_S,
    Room,
    called,
    party_of,
    room,
)
from offhook.flow.dialects.didml_sounds import file, pause_s, prompts, speech
from offhook.flow.dialects.didml_tree import Element
from offhook.flow.dialects.didml_values import Attributes, Source, caller_id
from offhook.flow.dialects.didml_xml import read_xml
from offhook.flow.dialects.urls import resolved_url
from offhook.flow.document import Document
from offhook.flow.errors import excerpt
from offhook.flow.limits import check_flow, check_size
from offhook.flow.program import Flow, OutcomeKind, Step
from offhook.flow.verbs import (
    Conference,
    Dial,
    Gather,
    Goto,
    Hangup,
    HangupAs,
    Notify,
    Pause,
    Play,
    Record,
    RecordCall,
    SetHangupHook,
    Target,
)

__all__ = [
    "DIGITS_MAX",
    "GATHER_TIMEOUT_S",
    "MIN_DIGITS",
    "NUM_DIGITS",
    "RECORD_DEFAULT_S",
    "SILENCE_S",
    "SKIPPED",
    "TRIES",
    "VERBS",
    "read",
]

GATHER_TIMEOUT_S, GATHER_TIMEOUT_MAX_S = 4.0, 300.0
MIN_DIGITS, NUM_DIGITS, DIGITS_MAX = 1, 20, 200
TRIES, TRIES_MAX = 3, 10
FINISH_KEYS = "#"
RECORD_DEFAULT_S, RECORD_MAX_S = 180.0, 14_400.0
SILENCE_S, SILENCE_MAX_S = 5.0, 600.0
"""How much silence ends a recording; the service's page is silent about it."""

SKIPPED = ("sms", "fax")
"""Verbs of the service that are no voice, so nothing is done for them here."""

_KEYPAD = frozenset("0123456789*#")
_FILE_NAME = re.compile(r"\w[\w .-]{0,127}")
_STOPS = frozenset({"off", "stop", "false", "no", "0"})
_STARTS = frozenset({"", "on", "start", "true", "yes", "1"})


def read(body: bytes, address: str) -> Reading:
    """The flow that a document asks for; see `Dialect.read`. An empty body and `<Response/>` are the empty flow."""
    check_size(body)
    source = Source(address=address)
    if not body.strip():
        return Reading(flow=Flow())
    root = read_xml(body, source.warnings)
    flow = Flow(steps=tuple(_Reader(source=source).steps(root)))
    check_flow(flow)
    return Reading(flow=flow, warnings=source.warnings.all())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """One document on its way to a flow."""

    source: Source

    def steps(self, root: Element) -> list[Step]:
        """Of every verb in order, as far as anything can be reached."""
        steps: list[Step] = []
        if root.text:
            self.source.warn(root, f"The text “{excerpt(root.text)}” outside a verb was passed over.")
        for element in root.children:
            verb = VERBS.get(element.name)
            if verb is not None:
                steps += verb(self, element)
            elif element.name in SKIPPED:
                self.source.warn(element, f"<{element.name}> is no voice: it was skipped.")
            else:
                self.source.warn(element, f"<{excerpt(element.name)}> is no verb that is known here: it was skipped.")
            if steps and (isinstance(steps[-1].verb, Hangup) or steps[-1].otherwise is not None):
                break
        return steps

    # ── what is heard ────────────────────────────────────────────────────────────────────────────────────────────────

    def say(self, element: Element) -> list[Step]:
        """Speech; then whoever `action` names is told, and what they reply is not looked at."""
        attributes = Attributes(element, self.source)
        spoken = speech(element, attributes, self.source)
        loop = attributes.loop()
        method = attributes.method("method")
        told = attributes.told_url("action")
        attributes.done()
        steps = [] if spoken is None else [Step(verb=Play(sounds=(spoken,), loop=loop, skippable=False))]
        return steps if told is None else [*steps, Step(verb=Notify(url=told, method=method))]

    def play(self, element: Element) -> list[Step]:
        """One file."""
        attributes = Attributes(element, self.source)
        sound = file(element, self.source)
        loop = attributes.loop()
        attributes.done()
        return [Step(verb=Play(sounds=(sound,), loop=loop, skippable=False))]

    def pause(self, element: Element) -> list[Step]:
        """A wait."""
        attributes = Attributes(element, self.source)
        seconds = pause_s(element, attributes, self.source)
        attributes.done()
        return [Step(verb=Pause(seconds=seconds))]

    def gather(self, element: Element) -> list[Step]:
        """Prompts and keys. Only keys lead to `action`; without them, or without it, the next verb follows."""
        attributes = Attributes(element, self.source)
        if element.text:
            attributes.warn(f"The text “{excerpt(element.text)}” outside a verb was passed over.")
        sounds = prompts(element, self.source)
        action = attributes.document("action")
        most = attributes.count("numdigits", default=NUM_DIGITS, low=1, high=DIGITS_MAX)
        least = attributes.count("mindigits", default=MIN_DIGITS, low=1, high=DIGITS_MAX)
        if least > most:
            attributes.warn(f"`minDigits` is more than `numDigits`; {most} is taken instead.")
        verb = Gather(
            prompts=sounds,
            min_digits=min(least, most),
            max_digits=most,
            timeout_s=attributes.seconds(
                "timeout", "timout", default=GATHER_TIMEOUT_S, low=1, high=GATHER_TIMEOUT_MAX_S
            ),
            tries=attributes.count("tries", default=TRIES, low=1, high=TRIES_MAX),
            finish_keys=_finish_keys(attributes, FINISH_KEYS),
            finish_needs_min=True,
        )
        # Documented without a purpose; `tts` is its one value.
        attributes.raw("audiotype")
        attributes.done()
        return [Step(verb=verb, branches=_on(OutcomeKind.DIGITS, action))]

    # ── who is called ────────────────────────────────────────────────────────────────────────────────────────────────

    def dial(self, element: Element) -> list[Step]:
        """Calls parties at once, or goes to a room. With `action` the call goes on there, however the dial ended."""
        attributes = Attributes(element, self.source)
        action = attributes.document("action")
        ring_s = attributes.seconds("timeout", "timout", default=RING_DEFAULT_S, low=1, high=RING_MAX_S)
        talk_s = attributes.seconds("timelimit", "maxlength", default=TALK_DEFAULT_S, low=1, high=TALK_MAX_S)
        shown = caller_id(attributes.text("callerid"))
        recorded = attributes.flag("record", default=False)
        found = called(element, self.source, ring_s=ring_s, talk_s=talk_s)
        if found.room is not None and recorded:
            attributes.warn("A talk in a room is not recorded by `record`; <recording/> before it records the call.")
        if isinstance(found.room, Conference) and attributes.given("timelimit", "maxlength"):
            attributes.warn("`timelimit` means nothing for a conference.")
        attributes.done()
        if found.targets:
            return [_dial(found.targets, action or found.action, ring_s, talk_s, shown, recorded)]
        return self._room_step(found.room, action)

    def party(self, element: Element) -> list[Step]:
        """A `number`, `sip` or `client` alone is a `dial` with nothing else in it."""
        party, action = party_of(element, self.source)
        return [_dial((party,), action, RING_DEFAULT_S, TALK_DEFAULT_S, None, recorded=False)]

    def room(self, element: Element) -> list[Step]:
        """A `queue`, `enqueue` or `conference` alone; as in a `dial`."""
        return self._room_step(room(element, self.source, ring_s=RING_DEFAULT_S, talk_s=TALK_DEFAULT_S), None)

    def _room_step(self, verb: Room | None, action: Document | None) -> list[Step]:
        return [] if verb is None else [Step(verb=verb, otherwise=action)]

    # ── recordings ───────────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, element: Element) -> list[Step]:
        """A message of the party. One that was said leads to `action`, told of it also if the caller hangs up."""
        self.source.inside(element)
        attributes = Attributes(element, self.source)
        action = attributes.document("action")
        name = attributes.text("fileid")
        if name and not _FILE_NAME.fullmatch(name):
            attributes.warn("`fileID` takes up to 128 letters, digits, blanks, `.`, `_` and `-`; it was ignored.")
            name = ""
        verb = Record(
            max_s=attributes.seconds("maxlength", default=RECORD_DEFAULT_S, low=1, high=RECORD_MAX_S),
            silence_s=attributes.seconds("timeout", "timout", default=SILENCE_S, low=1, high=SILENCE_MAX_S),
            finish_keys=_finish_keys(attributes, FINISH_KEYS),
            beep=attributes.flag("playbeep", default=True),
            confirm=attributes.flag("confirmrecording", default=False),
            told_if_left=None if action is None else action.url,
            name=name or None,
        )
        attributes.done()
        return [Step(verb=verb, branches=_on(OutcomeKind.OK, action))]

    def recording(self, element: Element) -> list[Step]:
        """The whole call from here on, or no longer."""
        self.source.inside(element)
        Attributes(element, self.source).done()
        word = element.text.lower()
        if word not in _STOPS | _STARTS:
            self.source.warn(element, f"<recording> takes on or off, and “{excerpt(word)}” was found; it counts as on.")
        return [Step(verb=RecordCall(stop=word in _STOPS))]

    # ── where the call goes ──────────────────────────────────────────────────────────────────────────────────────────

    def redirect(self, element: Element) -> list[Step]:
        """Another document takes the place of what follows."""
        self.source.inside(element)
        attributes = Attributes(element, self.source)
        method = attributes.method("method")
        attributes.done()
        document = Document(url=self.source.url(element.text, element, "the text"), method=method)
        return [Step(verb=Goto(), otherwise=document)]

    def hangup(self, element: Element) -> list[Step]:
        """The end."""
        Attributes(element, self.source).done()
        return [Step(verb=Hangup())]

    def reject(self, element: Element) -> list[Step]:
        """The end, as a caller is told who has not been answered; not of the service's, so as TwiML has it."""
        attributes = Attributes(element, self.source)
        reason = attributes.text("reason").lower()
        attributes.done()
        if reason not in ("", "rejected", "busy"):
            attributes.warn(f"`reason` of <reject> must be rejected or busy; {excerpt(reason)} counts as rejected.")
        return [Step(verb=Hangup(how=HangupAs.BUSY if reason == "busy" else HangupAs.REJECT))]

    def postcall(self, element: Element) -> list[Step]:
        """Whoever is told of all details of the call when it is over."""
        self.source.inside(element)
        attributes = Attributes(element, self.source)
        text = attributes.text("url") or element.text
        attributes.done()
        url = resolved_url(text, self.source.address)
        if url is None:
            attributes.warn(f"“{excerpt(text)}” in <postcall> is no http or https URL: nobody is told.")
            return []
        return [Step(verb=SetHangupHook(url=url))]


VERBS: Mapping[str, Callable[[_Reader, Element], list[Step]]] = MappingProxyType(
    {
        "say": _Reader.say,
        "play": _Reader.play,
        "pause": _Reader.pause,
        "gather": _Reader.gather,
        "dial": _Reader.dial,
        "forward": _Reader.dial,
        "record": _Reader.record,
        "recording": _Reader.recording,
        "redirect": _Reader.redirect,
        "hangup": _Reader.hangup,
        "reject": _Reader.reject,
        "postcall": _Reader.postcall,
        **dict.fromkeys(PARTIES, _Reader.party),
        **dict.fromkeys(ROOMS, _Reader.room),
    }
)


def _dial(
    targets: tuple[Target, ...],
    action: Document | None,
    ring_s: float,
    talk_s: float,
    shown: str | None,
    recorded: bool,
) -> Step:
    verb = Dial(targets=targets, caller_id=shown, ring_timeout_s=ring_s, time_limit_s=talk_s, record=recorded)
    return Step(verb=verb, otherwise=action)


def _on(kind: OutcomeKind, document: Document | None) -> Mapping[OutcomeKind, Document]:
    return MappingProxyType({} if document is None else {kind: document})


def _finish_keys(attributes: Attributes, default: str) -> frozenset[str]:
    """Keys of the pad; an empty text is no key at all, as in TwiML."""
    text = attributes.raw("finishonkey")
    keys = frozenset(default if text is None else text.strip())
    if not keys <= _KEYPAD:
        attributes.warn(f"`finishOnKey` takes keys of 0 to 9, * and #; {default} is taken instead.")
        return frozenset(default)
    return keys
