"""Walks the flows of a call: gives each its events, performs its steps, asks for its documents, and says when it ends.

It knows which leg a flow belongs to and which flow began which; what a verb does stands in `perform/`, and what the end
of the call's own flow means is the call's to say. The flows of other legs may do less (`BESIDE`): they speak to one
party and can take no part in the call's bridges, recordings and hooks.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, assert_never

from offhook.call.care import Comfort
from offhook.call.commands import FetchDocument, LegId, OweNotice, RequestId, VisitId
from offhook.call.events import DigitPressed, DocumentArrived, DocumentFailed, Event
from offhook.call.facts import Facts, view_of
from offhook.call.masking import shown_url
from offhook.call.perform.about import about
from offhook.call.perform.cast import BESIDE, done_at_once, performer_for, verb_name
from offhook.call.perform.performer import failed
from offhook.call.perform.visiting import Visiting
from offhook.call.plain import Mono
from offhook.call.policy import WAITED_S, why_ended
from offhook.call.script import HookFailed, Script
from offhook.call.stage import MAIN, BeginScript, DropScript, Heard, ScriptEnded, Stage
from offhook.flow import interpreter
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.interpreter import Effect, End, Fetch, Interpreter, Perform, Skipped
from offhook.flow.program import Document, Next, Outcome, OutcomeKind, Step
from offhook.flow.verbs import Gather, Goto, Hangup, HangupAs, Notify, RecordCall, SetHangupHook
from offhook.flow.view import CallView, Cause, Performed

__all__ = ["Runner"]

CHANGED = "changed"
"""Why a verb failed that was left because somebody outside wanted something else."""
MainIsOver = Callable[[End, HangupAs | None], None]


class Runner:
    """All flows of one call. Holds nothing itself: they stand in `Facts.scripts`."""

    def __init__(self, facts: Facts, dialect: Dialect, stage: Stage, main_is_over: MainIsOver) -> None:
        self._facts = facts
        self._dialect = dialect
        self._stage = stage
        self._main_is_over = main_is_over
        self._ended: deque[tuple[Script, End]] = deque()

    # ── what the call tells it ───────────────────────────────────────────────────────────────────────────────────────

    @property
    def begun(self) -> bool:
        """Whether the call's own flow runs."""
        return MAIN in self._facts.scripts

    def begin(self, start: Next) -> None:
        """Run the call's own flow."""
        self._begin_script(Script(), start)
        self._settle()

    def hear(self, event: Event) -> None:
        """Something happened that a verb may wait for. Every flow hears it; performers know what is theirs."""
        for script in list(self._facts.scripts.values()):
            if script.comfort is not None:
                script.comfort.handle(event, self._seen_by(script))
            if isinstance(event, DigitPressed) and event.leg == script.leg and script.asked is not None:
                # Keys pressed while a document is being fetched wait for a Gather that follows at once.
                self._seen_by(script).type_ahead(event.digit)
            self._perform(script, event)
        self._settle()

    def hear_customer(self, event: DocumentArrived | DocumentFailed) -> None:
        """The web application has answered one of them, or has not."""
        script = next((each for each in self._facts.scripts.values() if each.asked == event.request), None)
        if script is None or script.position is None:
            return
        script.asked = None
        if isinstance(event, DocumentArrived):
            script.failed = None
            self._note(script, "hook.answered", request=event.request, warnings=list(event.warnings) or None)
            self._go(script, *script.position.apply(interpreter.DocumentRead(flow=event.flow)))
        else:
            self._note(script, "hook.failed", request=event.request, cause=event.cause.value, detail=event.detail)
            self._go(script, *script.position.apply(self._after_failure(script, event)))
        self._settle()

    def _after_failure(
        self, script: Script, event: DocumentFailed
    ) -> interpreter.Diverted | interpreter.DocumentFailed:
        """The fallback, once; its own failure is the end, as is any without one."""
        fallback = self._fallback(script)
        assert script.position is not None
        if fallback is None or script.position.document is None:
            return interpreter.DocumentFailed(cause=event.cause)
        why = event.why or event.cause.value
        if isinstance(fallback, Document):
            script.failed = HookFailed(
                url=script.position.document.url, why=why, detail=event.detail, status=event.status
            )
        to = shown_url(fallback.url) if isinstance(fallback, Document) else None
        self._note(script, "hook.fallback", request=event.request, url=to, why=why)
        return interpreter.Diverted(to=fallback)

    def _fallback(self, script: Script) -> Next | None:
        """What this flow goes on with if its web application fails: the call's own alone, the fallback not."""
        return self._facts.fallback if script.id == MAIN and script.failed is None else None

    def go_on(self, to: Next) -> None:
        """Run something else in place of the call's own flow, and of those that it has begun."""
        script = self._facts.scripts.get(MAIN)
        if script is None or script.position is None:
            self._facts.start = to
            return
        outcome = None
        if script.performer is not None:
            script.performer.leave(self._seen_by(script))
            outcome = self._performed(script, failed(CHANGED))
        for other in [each for each in self._facts.scripts.values() if each.id != MAIN]:
            self._drop(DropScript(id=other.id))
        script.asked = script.failed = None
        self._stop_comfort(script)
        self._go(script, *script.position.apply(interpreter.Diverted(to=to, outcome=outcome)))
        self._settle()

    def handle_timer(self) -> None:
        """Let every verb that is due go on."""
        for script in list(self._facts.scripts.values()):
            if script.comfort is not None:
                script.comfort.handle_timer(self._seen_by(script))
            performer = script.performer
            if performer is not None and performer.deadline is not None and performer.deadline <= self._stage.now.mono:
                self._after(script, performer.handle_timer(self._seen_by(script)))
        self._settle()

    def deadlines(self) -> list[Mono]:
        """When verbs want to be asked again."""
        waiting = [each for script in self._facts.scripts.values() for each in (script.performer, script.comfort)]
        return [each.deadline for each in waiting if each is not None and each.deadline is not None]

    def visits(self) -> list[tuple[LegId, VisitId]]:
        """The stays in rooms that verbs under way have asked for, and by which leg."""
        performers = [(script.leg, script.performer) for script in self._facts.scripts.values()]
        return [
            (leg, performer.visit.id)
            for leg, performer in performers
            if isinstance(performer, Visiting) and performer.visit.id is not None
        ]

    def resume(self, *, sound_lost: bool) -> None:
        """Say again what was asked of the world and has not been answered (see `Performer.resume`)."""
        for script in list(self._facts.scripts.values()):
            if script.performer is not None:
                script.performer.resume(self._seen_by(script), sound_lost=sound_lost)
            elif script.asked is not None and script.position is not None:
                asked = script.position.waiting_for
                if isinstance(asked, Fetch):
                    self._ask(script, asked, again=script.asked)
            if script.comfort is not None:
                script.comfort.resume(self._seen_by(script), sound_lost=sound_lost)
        self._settle()

    def leg_left(self, leg: LegId) -> None:
        """A party is gone, and with it the flows that ran for it; the call's own is ended by the call."""
        for script in list(self._facts.scripts.values()):
            if script.leg == leg and script.id != MAIN:
                self._forget(script, Cause.NORMAL)

    def end(self, cause: Cause) -> None:
        """The call ends: every verb under way is cut off and logged so, the call's own last."""
        for script in sorted(self._facts.scripts.values(), key=lambda each: each.id, reverse=True):
            script.asked = script.comfort = None
            if script.performer is not None:
                script.performer.stop(self._seen_by(script))
                self._performed(script, failed(why_ended(cause)))
        self._facts.scripts.clear()
        self._ended.clear()
        self._stage.wishes.clear()

    # ── performing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _seen_by(self, script: Script) -> Stage:
        return self._stage.seen_by(script)

    def _perform(self, script: Script, event: Heard) -> None:
        if script.performer is not None:
            self._after(script, script.performer.handle(event, self._seen_by(script)))

    def _after(self, script: Script, outcome: Outcome | None) -> None:
        """A performer may be done: note it and go on."""
        if outcome is not None and script.position is not None:
            self._go(script, *script.position.apply(self._performed(script, outcome)))

    def _go(self, script: Script, position: Interpreter, effects: tuple[Effect, ...]) -> None:
        """Carry out effects until one has to be waited for."""
        script.position = position
        waiting = deque(effects)
        while waiting:
            match effect := waiting.popleft():
                case Perform():
                    happened = self._begin(script, effect.step)
                    if happened is not None:
                        script.position, effects = script.position.apply(happened)
                        waiting.extend(effects)
                case Fetch():
                    self._ask(script, effect)
                case End():
                    self._ended.append((script, effect))
                case _:
                    assert_never(effect)

    def _begin(self, script: Script, step: Step) -> Outcome | Skipped | None:
        verb = step.verb
        self._stop_comfort(script)
        if script.id != MAIN and not isinstance(verb, BESIDE):
            self._note(script, "verb.skipped", verb=verb_name(verb))
            return Skipped()
        script.performing_since = Mono(self._stage.now.mono)
        self._note(script, "verb.begun", verb=verb_name(verb), about=about(verb))
        stage = self._seen_by(script)
        if isinstance(verb, SetHangupHook | RecordCall | Hangup | Notify | Goto):
            outcome = self._performed(script, done_at_once(verb, stage))
            self._say_notices(script)
            return outcome
        if not isinstance(verb, Gather):
            stage.take_typed_ahead()
        performer = performer_for(verb)
        if performer.needs_answer:
            stage.say(*stage.party.answer())
        script.performer = performer
        started = performer.start(stage)
        return None if started is None else self._performed(script, started)

    def _performed(self, script: Script, outcome: Outcome) -> Outcome:
        """Enter into the log how the verb under way ended."""
        assert script.position is not None
        step = script.position.remaining[0]
        since = script.performing_since
        waited = since is not None and self._stage.now.mono - since >= WAITED_S
        outcome = replace(outcome, waited=waited or outcome.kind is OutcomeKind.DIGITS)
        script.performer = None
        # What followed it is not kept: a log of a long menu would hold the menu as often as it was heard.
        done = Performed(step=Step(verb=step.verb, wording=step.wording), outcome=outcome)
        if script.id == MAIN:
            self._facts.view = replace(self._facts.view, performed=(*self._facts.view.performed, done))
        else:
            script.last = done
        self._note(
            script,
            "verb.ended",
            verb=verb_name(step.verb),
            result=outcome.digits if outcome.kind is OutcomeKind.DIGITS else outcome.kind.value,
            why=outcome.why,
        )
        return outcome

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, script: Script, fetch: Fetch, again: RequestId | None = None) -> None:
        view = self._view_for(script)
        if fetch.outcome is None:
            params = self._dialect.begun(view)
        else:
            params = self._dialect.continued(view, fetch.outcome)
        if script.failed is not None:
            params = (*params, *script.failed.params)
        document = fetch.document
        script.asked = self._stage.next_request() if again is None else again
        self._note(
            script,
            "hook.asked",
            request=script.asked,
            method=document.method,
            url=shown_url(document.url),
            params=dict(params),
        )
        self._stage.say(
            FetchDocument(
                request=script.asked,
                url=document.url,
                method=document.method,
                params=params,
                may_avoid=self._fallback(script) is not None,
            )
        )
        if script.comfort is None and script.id == MAIN:
            # Others may hear something else meanwhile that is not this flow's.
            script.comfort = Comfort.of(self._facts.care, self._seen_by(script))

    def _stop_comfort(self, script: Script) -> None:
        if script.comfort is not None:
            script.comfort.stop(self._seen_by(script))
            script.comfort = None

    def _say_notices(self, script: Script) -> None:
        while self._stage.notices:
            notice = self._stage.notices.pop(0)
            params = self._dialect.begun(self._view_for(script))
            request = self._stage.next_request()
            self._stage.say(OweNotice(request=request, url=notice.url, method=notice.method, params=params))

    def _view_for(self, script: Script) -> CallView:
        """The call, and whose flow it is that asks if it is not the call's own."""
        view = view_of(self._facts)
        if script.id == MAIN:
            return view
        performed = view.performed if script.last is None else (*view.performed, script.last)
        return replace(view, leg=self._stage.legs[script.leg].view(), performed=performed)

    # ── flows beside the call's own ──────────────────────────────────────────────────────────────────────────────────

    def _begin_script(self, script: Script, start: Next) -> None:
        self._facts.scripts[script.id] = script
        if script.id != MAIN:
            url = shown_url(start.url) if isinstance(start, Document) else None
            self._note(script, "script.begun", url=url)
        self._go(script, *Interpreter.begin(start))

    def _settle(self) -> None:
        """Begin, drop and end flows as they were wished for or came to it, one after another, until none is left."""
        while self._ended or self._stage.wishes:
            if self._ended:
                self._over(*self._ended.popleft())
                continue
            match wish := self._stage.wishes.popleft():
                case BeginScript() if not self._stage.legs[wish.leg].gone:
                    self._begin_script(Script(id=wish.id, leg=wish.leg, parent=wish.parent), wish.start)
                case BeginScript():
                    pass
                case DropScript():
                    self._drop(wish)
                case _:
                    assert_never(wish)

    def _drop(self, wish: DropScript) -> None:
        script = self._facts.scripts.get(wish.id)
        if script is not None:
            if script.performer is not None:
                script.performer.leave(self._seen_by(script))
            self._forget(script, Cause.CANCELLED)

    def _over(self, script: Script, end: End) -> None:
        """A flow has nothing left to do."""
        if script.id not in self._facts.scripts:
            return
        self._stop_comfort(script)
        if end.detail:
            self._note(script, "flow.stopped", cause=end.cause.value, detail=end.detail)
        how, script.wanted_end = script.wanted_end, None
        if script.parent is None:
            self._main_is_over(end, how)
            return
        self._forget(script, end.cause)
        parent = self._facts.scripts.get(script.parent)
        if parent is not None:
            self._perform(parent, ScriptEnded(id=script.id, declined=how is not None, cause=end.cause))

    def _forget(self, script: Script, cause: Cause) -> None:
        del self._facts.scripts[script.id]
        self._note(script, "script.ended", cause=cause.value)

    def _note(self, script: Script, kind: str, **data: Any) -> None:
        """An entry of the timeline; a flow that is not the call's own says which it is and whose."""
        whose = {} if script.id == MAIN else {"script": script.id, "leg": script.leg}
        self._stage.note(kind, **data, **whose)
