"""Hypothesis strategies for verbs, steps, flows and outcomes: whatever any dialect could ask for."""

from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from offhook.flow import verbs
from offhook.flow.program import Document, Flow, Next, Outcome, OutcomeKind, Step

__all__ = ["documents", "flows", "nexts", "outcomes", "steps", "verbs_of_any_kind", "wordings"]

words = st.text(max_size=12)
keys = st.text(alphabet="0123456789*#", max_size=4)
seconds = st.floats(min_value=0, max_value=3600, allow_nan=False)

sounds: st.SearchStrategy[verbs.Sound] = st.one_of(
    st.builds(verbs.UrlSound, url=words),
    st.builds(verbs.NamedSound, name=words),
    st.builds(verbs.SentDigits, keys=keys),
    st.builds(verbs.LocalSound, name=words),
    st.builds(verbs.Speech, text=words, language=words, voice=words, secret=st.booleans()),
    st.builds(verbs.Silence, seconds=seconds),
    st.builds(verbs.UnusableSound, text=words),
)
documents = st.builds(Document, url=words, method=st.sampled_from(["GET", "POST"]))
status_hooks = st.builds(
    verbs.StatusHook,
    url=words,
    method=st.sampled_from(["GET", "POST"]),
    stages=st.frozensets(st.sampled_from(verbs.LegStage)),
    extra=st.lists(st.tuples(words, words), max_size=2).map(tuple),
)
treatments = st.just(verbs.Treatment()) | st.builds(
    verbs.Treatment,
    caller_id=st.none() | words,
    ring_timeout_s=st.none() | seconds,
    time_limit_s=st.none() | seconds,
    send_digits=keys,
    briefing=st.none() | documents,
    record=st.booleans(),
    told=st.none() | status_hooks,
)
targets: st.SearchStrategy[verbs.Target] = st.one_of(
    st.builds(verbs.NumberTarget, number=words, treatment=treatments),
    st.builds(verbs.SipTarget, uri=words, treatment=treatments),
    st.builds(verbs.PhoneTarget, user=words, treatment=treatments),
    st.builds(verbs.UnusableTarget, text=words),
)
finish_keys = st.frozensets(st.sampled_from("0123456789*#"), max_size=3)
some_sounds = st.lists(sounds, max_size=3).map(tuple)

verbs_of_any_kind: st.SearchStrategy[verbs.Verb] = st.one_of(
    st.builds(verbs.Play, sounds=some_sounds, loop=st.integers(0, 9), skippable=st.booleans()),
    st.builds(
        verbs.Gather,
        prompts=some_sounds,
        min_digits=st.integers(1, 9),
        max_digits=st.integers(1, 9),
        timeout_s=seconds,
        tries=st.integers(1, 9),
        finish_keys=finish_keys,
        skippable=st.booleans(),
        finish_needs_min=st.booleans(),
    ),
    st.builds(
        verbs.Dial,
        targets=st.lists(targets, max_size=3).map(tuple),
        caller_id=st.none() | words,
        ring_timeout_s=seconds,
        time_limit_s=st.none() | seconds,
        record=st.booleans(),
    ),
    st.builds(
        verbs.Record,
        deliver_to=st.none() | words,
        keep_as=st.none() | words,
        max_s=seconds,
        silence_s=st.none() | seconds,
        finish_keys=finish_keys,
        beep=st.booleans(),
        confirm=st.booleans(),
        name=st.none() | words,
    ),
    st.builds(verbs.RecordCall, deliver_to=st.none() | words, stop=st.booleans()),
    st.builds(verbs.SetHangupHook, url=words),
    st.builds(verbs.Hangup, how=st.sampled_from(verbs.HangupAs)),
    st.builds(verbs.Pause, seconds=seconds),
    st.builds(verbs.Notify, url=words, method=st.sampled_from(["GET", "POST"])),
    st.builds(verbs.Goto),
)

plain_json: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | words
wordings = st.dictionaries(words, plain_json, max_size=2).map(MappingProxyType)


def _steps_over(following: st.SearchStrategy[Next]) -> st.SearchStrategy[Step]:
    return st.builds(
        Step,
        verb=verbs_of_any_kind,
        branches=st.dictionaries(st.sampled_from(OutcomeKind), following, max_size=2).map(MappingProxyType),
        digits=st.dictionaries(keys, following, max_size=2).map(MappingProxyType),
        otherwise=st.none() | following,
        wording=wordings,
    )


def _flows_over(following: st.SearchStrategy[Next]) -> st.SearchStrategy[Next]:
    return documents | st.builds(Flow, steps=st.lists(_steps_over(following), max_size=2).map(tuple))


nexts: st.SearchStrategy[Next] = st.recursive(documents, _flows_over, max_leaves=3)
steps = _steps_over(nexts)
flows: st.SearchStrategy[Flow] = st.builds(Flow, steps=st.lists(steps, max_size=3).map(tuple))

outcomes = st.one_of(
    st.builds(Outcome, kind=st.just(OutcomeKind.DIGITS), digits=keys, waited=st.booleans()),
    st.builds(
        Outcome,
        kind=st.sampled_from([OutcomeKind.OK, OutcomeKind.BUSY, OutcomeKind.FAILED]),
        why=st.none() | st.sampled_from(["badsource", "noinput", "tooshort"]),
        waited=st.booleans(),
    ),
)
