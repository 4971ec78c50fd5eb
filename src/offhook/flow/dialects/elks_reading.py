"""46elks actions (JSON) in, flows out.

An action is an object with one action key, its options, and branches that are URLs or actions themselves. What is
understood leniently is said in warnings and on the dialect's conformance page; what cannot be run is a `DocumentError`
that names the key. Looks at the document alone: what a number costs, or whether it may be called, is not known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from offhook.flow.dialects.dialect import Reading
from offhook.flow.dialects.elks_json import read_json
from offhook.flow.dialects.elks_values import (
    flag,
    found,
    local_name,
    number,
    quantity,
    sound,
    target,
    text_of,
    url_of,
)
from offhook.flow.dialects.urls import absolute_url
from offhook.flow.errors import (
    ConflictingActions,
    NestingTooDeep,
    NoAction,
    TooManyTargets,
    WrongType,
    excerpt,
)
from offhook.flow.limits import MAX_DEPTH, MAX_TARGETS, check_flow, check_size
from offhook.flow.program import Document, Flow, Next, OutcomeKind, Step
from offhook.flow.verbs import (
    Dial,
    Gather,
    Hangup,
    HangupAs,
    Play,
    Record,
    RecordCall,
    SetHangupHook,
    Sound,
    UnusableSound,
    UnusableTarget,
    Verb,
)

__all__ = [
    "DIGITS_DEFAULT",
    "IVR_TIMEOUT_DEFAULT_S",
    "RECORD_DEFAULT_S",
    "REPEAT_DEFAULT",
    "RING_DEFAULT_S",
    "SILENCE_S",
    "read",
]

RING_DEFAULT_S = 60.0
RING_MIN_S, RING_MAX_S = 1.0, 600.0
TALK_MAX_S = 86_400.0
IVR_TIMEOUT_DEFAULT_S = 10.0
IVR_TIMEOUT_MIN_S, IVR_TIMEOUT_MAX_S = 1.0, 30.0
DIGITS_DEFAULT, DIGITS_MAX = 1, 128
REPEAT_DEFAULT, REPEAT_MAX = 3, 100
RECORD_DEFAULT_S = 120.0
RECORD_MAX_S = 14_400.0
SILENCE_S = 3.0
"""How much silence ends a recording, unless `silencedetection` is `no`."""
MAX_WARNINGS = 20

_OPTIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "hangup": frozenset(),
        "connect": frozenset({"callerid", "timeout", "timelimit"}),
        "ivr": frozenset({"digits", "timeout", "repeat", "skippable"}),
        "play": frozenset({"skippable"}),
        "record": frozenset({"timelimit", "silencedetection"}),
        "recordcall": frozenset(),
        "whenhangup": frozenset(),
    }
)
_ACTIONS = ("hangup", "connect", "ivr", "play", "record")
_ALONE = ("recordcall", "whenhangup")
"""These ride along with an action, and count as one where no other stands."""
_EVERYWHERE = frozenset({"recordcall", "whenhangup"})
_AFTER = frozenset({"next", "success", "failed"})
_KEYPAD = frozenset("0123456789*#")
_TRUE = frozenset({"", "true", "yes"})
_UNSET = frozenset({"", "no", "false"})
_HANGUPS: Mapping[str, HangupAs] = MappingProxyType(
    {"busy": HangupAs.BUSY, "reject": HangupAs.REJECT, "404": HangupAs.NOT_FOUND}
)


def read(body: bytes, address: str) -> Reading:
    """The flow that a document asks for; see `Dialect.read`. An empty body and `{}` are the empty flow."""
    check_size(body)
    value, warnings = read_json(body)
    reader = _Reader(address=address, warnings=list(warnings))
    if not isinstance(value, dict):
        raise WrongType(key="", wanted="an action (a JSON object)", found=found(value))
    flow = reader.action(value, "", 1)
    check_flow(flow)
    return Reading(flow=flow, warnings=tuple(reader.warnings))


@dataclass(slots=True, kw_only=True)
class _Reader:
    """One document on its way to a flow."""

    address: str
    warnings: list[str] = field(default_factory=list)

    def action(self, raw: Mapping[str, Any], place: str, depth: int) -> Flow:
        """The flow of one action with what rides along; empty for `{}`. `place` is a path such as `next.busy`."""
        if depth > MAX_DEPTH:
            raise NestingTooDeep(limit=MAX_DEPTH)
        item = {key: value for key, value in raw.items() if not _is_as_if_absent(key, value)}
        if not item:
            return Flow()
        name = self._action_key(item, place)
        self._say_what_is_ignored(item, name, place)
        steps = [Step(verb=verb) for verb in self._riding_along(item, name, place)]
        if name not in _ALONE:
            steps.append(Step(verb=_VERBS[name](self, item, place)))
        # A hook alone is nothing that ran, so the log of actions does not show it.
        shown = {key for key in (name, *_OPTIONS[name]) if key != "whenhangup"}
        wording = MappingProxyType({key: value for key, value in item.items() if key in shown})
        steps[-1] = self._with_branches(replace(steps[-1], wording=wording), item, name, place, depth)
        return Flow(steps=tuple(steps))

    # ── which action ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _action_key(self, item: Mapping[str, Any], place: str) -> str:
        names = [key for key in item if key in _ACTIONS]
        if len(names) > 1:
            return self._one_of_several(names, place)
        names = names or [key for key in _ALONE if key in item]
        if not names:
            raise NoAction(
                place=place,
                found=", ".join(f"`{excerpt(key)}`" for key in list(item)[:5]),
                known=", ".join(f"`{key}`" for key in _ACTIONS),
            )
        return names[0]

    def _one_of_several(self, names: list[str], place: str) -> str:
        """Hanging up wins over everything, and playing over recording, as the service was seen to do."""
        if "hangup" in names:
            name = "hangup"
        elif set(names) == {"play", "record"}:
            name = "play"
        else:
            raise ConflictingActions(place=place, first=names[0], second=names[1])
        for other in names:
            if other != name:
                self._warn(f"`{_at(place, other)}` was ignored, because `{name}` stands beside it and goes before it.")
        return name

    def _say_what_is_ignored(self, item: Mapping[str, Any], name: str, place: str) -> None:
        known = {name, *_OPTIONS[name], *_EVERYWHERE}
        if name != "hangup":
            known |= _AFTER
        if name == "connect":
            known.add("busy")
        for key in item:
            if key in known or key in _ACTIONS or (name == "ivr" and _is_keys(key)):
                continue
            self._warn(f"`{excerpt(_at(place, key))}` means nothing beside `{name}` and was ignored.")

    def _riding_along(self, item: Mapping[str, Any], name: str, place: str) -> list[Verb]:
        verbs: list[Verb] = []
        if "whenhangup" in item:
            verbs.append(SetHangupHook(url=url_of(item["whenhangup"], _at(place, "whenhangup"), self.address)))
        # Beside a hangup there is nothing left to record.
        if "recordcall" in item and name != "hangup":
            verbs.append(
                RecordCall(deliver_to=self._post_url(item["recordcall"], _at(place, "recordcall"), "a URL or true"))
            )
        return verbs

    # ── what follows ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _with_branches(self, step: Step, item: Mapping[str, Any], name: str, place: str, depth: int) -> Step:
        if name == "hangup":
            return step
        done = OutcomeKind.DIGITS if name == "ivr" else OutcomeKind.OK
        kinds = {"success": done, "failed": OutcomeKind.FAILED}
        if name == "connect":
            kinds["busy"] = OutcomeKind.BUSY
        branches: dict[OutcomeKind, Next] = {}
        digits: dict[str, Next] = {}
        for key, value in item.items():
            is_digits = name == "ivr" and _is_keys(key)
            if key not in kinds and not is_digits:
                continue
            following = self._following(value, _at(place, key), depth)
            if following is not None and is_digits:
                digits[key] = following
            elif following is not None:
                branches[kinds[key]] = following
        otherwise = self._following(item["next"], _at(place, "next"), depth) if "next" in item else None
        return replace(step, branches=MappingProxyType(branches), digits=MappingProxyType(digits), otherwise=otherwise)

    def _following(self, value: Any, key: str, depth: int) -> Next | None:
        if isinstance(value, dict):
            return self.action(value, key, depth + 1)
        if not isinstance(value, str):
            raise WrongType(key=key, wanted="a URL or an action (an object)", found=found(value))
        return Document(url=url_of(value, key, self.address)) if value.strip() else None

    # ── the actions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def connect(self, item: Mapping[str, Any], place: str) -> Verb:
        """Numbers and SIP URIs, one or a comma list; a caller ID, how long to ring and how long to talk."""
        key = _at(place, "connect")
        text = text_of(item["connect"], key, "a number such as +46700000000, a comma list of them, or a SIP URI")
        targets = tuple(target(part) for part in text.split(",") if part.strip()) or (target(text),)
        if len(targets) > MAX_TARGETS:
            raise TooManyTargets(key=key, count=len(targets), limit=MAX_TARGETS)
        for unusable in targets:
            if isinstance(unusable, UnusableTarget):
                self._warn(f"`{key}`: {found(unusable.text)} is no number and no SIP URI; calling it fails.")
        caller_id = text_of(item.get("callerid", ""), _at(place, "callerid"), "a number such as +46700000000")
        ring = self._seconds(item, "timeout", place)
        talk = self._seconds(item, "timelimit", place)
        if talk is not None and talk < 1:
            self._warn(f"`{_at(place, 'timelimit')}` must be at least 1 second; the call goes without a limit.")
            talk = None
        return Dial(
            targets=targets,
            caller_id=(number(caller_id) or caller_id.strip()) if caller_id.strip() else None,
            ring_timeout_s=RING_DEFAULT_S
            if ring is None
            else self._within(ring, RING_MIN_S, RING_MAX_S, "timeout", place),
            time_limit_s=None if talk is None else self._within(talk, 1.0, TALK_MAX_S, "timelimit", place),
        )

    def play(self, item: Mapping[str, Any], place: str) -> Verb:
        """One sound."""
        return Play(
            sounds=(self._sound(item, "play", place),), skippable=self._flag(item, "skippable", place, default=True)
        )

    def ivr(self, item: Mapping[str, Any], place: str) -> Verb:
        """A prompt and the keys that are pressed."""
        digits = self._count(item, "digits", place, DIGITS_DEFAULT, DIGITS_MAX)
        return Gather(
            prompts=(self._sound(item, "ivr", place),),
            min_digits=digits,
            max_digits=digits,
            timeout_s=self._ivr_timeout(item, place),
            tries=self._count(item, "repeat", place, REPEAT_DEFAULT, REPEAT_MAX),
            # A menu that maps the hash key means it as a key like others.
            finish_keys=frozenset() if item.get("#") not in (None, "") and digits == 1 else frozenset("#"),
            skippable=self._flag(item, "skippable", place, default=True),
        )

    def record(self, item: Mapping[str, Any], place: str) -> Verb:
        """A recording of the party: posted to a URL, kept for `local/…`, or neither."""
        key = _at(place, "record")
        value = item["record"]
        keep_as = local_name(value) if isinstance(value, str) else None
        limit = self._seconds(item, "timelimit", place)
        if limit is not None and limit < 1:
            self._warn(f"`{_at(place, 'timelimit')}` must be at least 1 second; 120 is taken instead.")
            limit = None
        return Record(
            deliver_to=None if keep_as is not None else self._post_url(value, key, "a URL, local/<name> or true"),
            keep_as=keep_as,
            max_s=RECORD_DEFAULT_S if limit is None else self._within(limit, 1.0, RECORD_MAX_S, "timelimit", place),
            silence_s=SILENCE_S if self._flag(item, "silencedetection", place, default=True) else None,
        )

    def hangup(self, item: Mapping[str, Any], place: str) -> Verb:
        """The end. `true`, an empty text and words that are not known count as `reject`."""
        value = item["hangup"]
        word = str(value).strip().lower() if isinstance(value, str | int | float) else None
        if word is None:
            raise WrongType(key=_at(place, "hangup"), wanted="busy, reject or 404", found=found(value))
        if word not in _HANGUPS and word not in _TRUE:
            self._warn(f"`{_at(place, 'hangup')}` must be busy, reject or 404; {found(value)} counts as reject.")
        return Hangup(how=_HANGUPS.get(word, HangupAs.REJECT))

    # ── values with defaults ─────────────────────────────────────────────────────────────────────────────────────────

    def _sound(self, item: Mapping[str, Any], key: str, place: str) -> Sound:
        text = text_of(item[key], _at(place, key), "a sound: a URL, sound/…, local/… or en_US/…")
        heard = sound(text)
        if isinstance(heard, UnusableSound):
            self._warn(f"`{_at(place, key)}`: {found(text)} is no sound; playing it fails as badsource.")
        return heard

    def _post_url(self, value: Any, key: str, wanted: str) -> str | None:
        """Where a recording is told of; `None` for `true`: it is made and nobody is told."""
        if value is True or (isinstance(value, str) and value.strip().lower() in _TRUE):
            return None
        url = absolute_url(text_of(value, key, wanted), self.address)
        if url is None:
            raise WrongType(key=key, wanted=wanted, found=found(value))
        return url

    def _seconds(self, item: Mapping[str, Any], key: str, place: str) -> float | None:
        return quantity(item[key], _at(place, key), "a number of seconds") if key in item else None

    def _ivr_timeout(self, item: Mapping[str, Any], place: str) -> float:
        """From 1 to 30 seconds; the page of `ivr` says that anything else is 10, so a text that is no number is too."""
        try:
            timeout = self._seconds(item, "timeout", place)
        except WrongType:
            if not isinstance(item["timeout"], str):
                raise
            timeout = 0.0
        if timeout is None:
            return IVR_TIMEOUT_DEFAULT_S
        if IVR_TIMEOUT_MIN_S <= timeout <= IVR_TIMEOUT_MAX_S:
            return timeout
        self._warn(f"`{_at(place, 'timeout')}` must be from 1 to 30 seconds; 10 is taken instead.")
        return IVR_TIMEOUT_DEFAULT_S

    def _within(self, value: float, low: float, high: float, key: str, place: str) -> float:
        taken = min(max(value, low), high)
        if taken != value:
            self._warn(f"`{_at(place, key)}` must be from {low:g} to {high:g} seconds; {taken:g} is taken instead.")
        return taken

    def _count(self, item: Mapping[str, Any], key: str, place: str, default: int, high: int) -> int:
        value = quantity(item[key], _at(place, key), "a whole number") if key in item else None
        if value is None:
            return default
        if value < 1:
            self._warn(f"`{_at(place, key)}` must be at least 1; {default} is taken instead.")
            return default
        if value > high:
            self._warn(f"`{_at(place, key)}` must be at most {high}; {high} is taken instead.")
            return high
        return int(value)

    def _flag(self, item: Mapping[str, Any], key: str, place: str, *, default: bool) -> bool:
        value = flag(item[key], _at(place, key)) if key in item else None
        return default if value is None else value

    def _warn(self, text: str) -> None:
        if len(self.warnings) < MAX_WARNINGS and text not in self.warnings:
            self.warnings.append(text)


_VERBS: Mapping[str, Callable[[_Reader, Mapping[str, Any], str], Verb]] = MappingProxyType(
    {
        "connect": _Reader.connect,
        "play": _Reader.play,
        "ivr": _Reader.ivr,
        "record": _Reader.record,
        "hangup": _Reader.hangup,
    }
)


def _at(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _is_as_if_absent(key: str, value: Any) -> bool:
    """`null` everywhere, `false` for hanging up, and what clients send for a setting that is not set."""
    if value is None:
        return True
    if key in _EVERYWHERE:
        return value is False or (isinstance(value, str) and value.strip().lower() in _UNSET)
    return key == "hangup" and value is False


def _is_keys(key: str) -> bool:
    return bool(key) and _KEYPAD.issuperset(key)
