"""Flows as plain JSON and back, for what has to outlive a restart.

A tagged form of our own (`{"is": "play", …}`), field by field as the classes declare them. Customers never see it,
and it is no dialect. A verb may get a new field with a default; a changed or removed field needs a new export version.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields
from enum import Enum
from types import MappingProxyType
from typing import Any, get_args

from offhook.flow import verbs
from offhook.flow.document import Document
from offhook.flow.errors import NotOurExport
from offhook.flow.program import Flow, Next, Outcome, OutcomeKind, Step
from offhook.flow.targets import AT_DEFAULT_UNSAID, LegStage
from offhook.flow.verbs import Beeps, HangupAs, Verb

__all__ = [
    "TAGS",
    "from_flow",
    "from_next",
    "from_outcome",
    "from_step",
    "from_value",
    "said_fields",
    "to_flow",
    "to_next",
    "to_outcome",
    "to_step",
    "to_value",
]

_CLASSES: Mapping[str, type[Any]] = MappingProxyType(
    {
        "play": verbs.Play,
        "gather": verbs.Gather,
        "dial": verbs.Dial,
        "record": verbs.Record,
        "record_call": verbs.RecordCall,
        "set_hangup_hook": verbs.SetHangupHook,
        "hangup": verbs.Hangup,
        "pause": verbs.Pause,
        "notify": verbs.Notify,
        "goto": verbs.Goto,
        "enqueue": verbs.Enqueue,
        "take_from_queue": verbs.TakeFromQueue,
        "conference": verbs.Conference,
        "url_sound": verbs.UrlSound,
        "named_sound": verbs.NamedSound,
        "sent_digits": verbs.SentDigits,
        "local_sound": verbs.LocalSound,
        "speech": verbs.Speech,
        "silence": verbs.Silence,
        "unusable_sound": verbs.UnusableSound,
        "number": verbs.NumberTarget,
        "sip": verbs.SipTarget,
        "phone": verbs.PhoneTarget,
        "unusable_target": verbs.UnusableTarget,
        "treatment": verbs.Treatment,
        "status_hook": verbs.StatusHook,
        "document": Document,
    }
)
TAGS: Mapping[type[Any], str] = MappingProxyType({cls: tag for tag, cls in _CLASSES.items()})
"""What verbs, sounds, targets and documents are called in plain data and in texts."""
_VERBS = frozenset(TAGS[cls] for cls in get_args(Verb))


def _stages(words: Iterable[str]) -> frozenset[LegStage]:
    return frozenset(LegStage(word) for word in words)


_SPECIAL: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"finish_keys": frozenset, "how": HangupAs, "stages": _stages, "beeps": Beeps}
)
"""Fields that JSON cannot tell apart by themselves."""


def from_flow(flow: Flow) -> dict[str, Any]:
    """`{"steps": […]}`."""
    return {"steps": [from_step(step) for step in flow.steps]}


def to_flow(data: Mapping[str, Any]) -> Flow:
    """What `from_flow` gave. Raises `NotOurExport`, `KeyError`, `TypeError` or `ValueError` for anything else."""
    return Flow(steps=tuple(to_step(step) for step in data["steps"]))


def from_next(following: Next) -> dict[str, Any]:
    """A flow or a document."""
    return from_flow(following) if isinstance(following, Flow) else _tagged(following)


def to_next(data: Mapping[str, Any]) -> Next:
    """What `from_next` gave."""
    if "steps" in data:
        return to_flow(data)
    document = _untagged(data)
    if not isinstance(document, Document):
        raise NotOurExport(f"{data['is']!r} stands where a document should")
    return document


def from_step(step: Step) -> dict[str, Any]:
    """A verb with its branches; what is empty is left out, because most of it is."""
    data: dict[str, Any] = {"verb": _tagged(step.verb)}
    if step.branches:
        data["branches"] = {kind.value: from_next(following) for kind, following in step.branches.items()}
    if step.digits:
        data["digits"] = {keys: from_next(following) for keys, following in step.digits.items()}
    if step.otherwise is not None:
        data["otherwise"] = from_next(step.otherwise)
    if step.wording:
        data["wording"] = dict(step.wording)
    return data


def to_step(data: Mapping[str, Any]) -> Step:
    """What `from_step` gave."""
    otherwise = data.get("otherwise")
    return Step(
        verb=_to_verb(data["verb"]),
        branches=MappingProxyType({OutcomeKind(k): to_next(v) for k, v in data.get("branches", {}).items()}),
        digits=MappingProxyType({keys: to_next(v) for keys, v in data.get("digits", {}).items()}),
        otherwise=None if otherwise is None else to_next(otherwise),
        wording=MappingProxyType(dict(data.get("wording", {}))),
    )


def from_outcome(outcome: Outcome) -> dict[str, Any]:
    """How a verb ended."""
    return {field.name: _plain(getattr(outcome, field.name)) for field in fields(outcome)}


def to_outcome(data: Mapping[str, Any]) -> Outcome:
    """What `from_outcome` gave."""
    return Outcome(**{**data, "kind": OutcomeKind(data["kind"])})


def from_value(value: Any) -> dict[str, Any]:
    """A verb, sound, target or document by itself, tagged."""
    return _tagged(value)


def to_value(data: Mapping[str, Any]) -> Any:
    """What `from_value` gave. Raises `NotOurExport` or `TypeError` for anything else."""
    return _untagged(data)


def _to_verb(data: Mapping[str, Any]) -> Verb:
    if data["is"] not in _VERBS:
        raise NotOurExport(f"{data['is']!r} stands where a verb should")
    verb: Verb = _untagged(data)
    return verb


def _tagged(value: Any) -> dict[str, Any]:
    return {"is": TAGS[type(value)], **{f.name: _plain(getattr(value, f.name)) for f in said_fields(value)}}


def said_fields(value: Any) -> list[Field[Any]]:
    """The fields of a verb, sound, target or document that are worth saying: all but those few at their default."""
    return [f for f in fields(value) if not (f.metadata == AT_DEFAULT_UNSAID and getattr(value, f.name) == f.default)]


def _plain(value: Any) -> Any:
    match value:
        case None | str() | int() | float():
            return value
        case Enum():
            return value.value
        case tuple():
            return [_plain(item) for item in value]
        case frozenset():
            return sorted(_plain(item) for item in value)
        case _:
            return _tagged(value)


def _untagged(data: Mapping[str, Any]) -> Any:
    cls = _CLASSES.get(data["is"])
    if cls is None:
        raise NotOurExport(f"nothing of ours is called {data['is']!r}")
    return cls(**{name: _special_or(name, value) for name, value in data.items() if name != "is"})


def _special_or(name: str, value: Any) -> Any:
    return _SPECIAL[name](value) if name in _SPECIAL else _value(value)


def _value(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(_value(item) for item in data)
    return _untagged(data) if isinstance(data, Mapping) else data
