"""Session timers (RFC 4028): agreeing on an interval and on who refreshes. When to act is said in seconds, not done."""

from __future__ import annotations

from dataclasses import dataclass

from offhook.sip.commands import SessionTimerPolicy
from offhook.sip.headers.timers import Refresher, SessionExpires
from offhook.sip.message import Request, Response

LAST_CHANCE_S = 32
"""Section 10: the one who waits gives up this long before the end, or a third of the interval if that is less."""


@dataclass(slots=True, kw_only=True)
class SessionTimer:
    """What a session agreed on; plain data."""

    interval_s: int = 0
    """0: no timer."""
    ours: bool = False
    """Whether we refresh."""
    min_se_s: int = 90
    """The least that anybody on the way accepts, learned from 422."""
    by_update: bool = False
    """Whether the peer takes UPDATE, which needs no offer (section 7.4)."""

    @property
    def due_after_s(self) -> float | None:
        """When to act after the last refresh: refresh at half (section 7.2), or give up before the end (section 10)."""
        if not self.interval_s:
            return None
        if self.ours:
            return self.interval_s / 2
        return self.interval_s - min(LAST_CHANCE_S, self.interval_s / 3)


def offer(timer: SessionTimer, policy: SessionTimerPolicy) -> list[tuple[str, str]]:
    """Header lines of an INVITE of ours that begins a session (section 7.1)."""
    lines = [("Supported", "timer")]
    if policy.offer or timer.interval_s:
        lines.append(("Session-Expires", str(max(timer.interval_s or policy.interval_s, timer.min_se_s))))
        lines.append(("Min-SE", str(timer.min_se_s)))
    return lines


def refresh(timer: SessionTimer) -> list[tuple[str, str]]:
    """Header lines of a re-INVITE or UPDATE of ours: the same interval and the same refresher (section 7.4)."""
    lines = [("Supported", "timer")]
    if timer.interval_s:
        who = Refresher.UAC if timer.ours else Refresher.UAS
        lines.append(("Session-Expires", str(SessionExpires(interval_s=timer.interval_s, refresher=who))))
        lines.append(("Min-SE", str(timer.min_se_s)))
    return lines


def too_small(request: Request, policy: SessionTimerPolicy) -> bool:
    """Whether a request asks for less than we take, so that 422 with Min-SE is owed (section 9).

    Only for a sender that knows session timers; for another, the proxy on the way made the wish and would loop.
    """
    asked = request.session_expires
    return asked is not None and asked.interval_s < policy.min_interval_s and "timer" in request.supported


def answer(timer: SessionTimer, request: Request, policy: SessionTimerPolicy) -> list[tuple[str, str]]:
    """Agree to what a request asks for; header lines of our 2xx (section 9, table 2)."""
    timer.by_update = "UPDATE" in request.allow or timer.by_update
    asked = request.session_expires
    if asked is None:
        timer.interval_s = 0
        return [("Supported", "timer")]
    knows = "timer" in request.supported
    who = (asked.refresher or Refresher.UAC) if knows else Refresher.UAS
    timer.interval_s = max(asked.interval_s, request.min_se or 0, policy.min_interval_s)
    timer.ours = who is Refresher.UAS
    lines = [("Supported", "timer")]
    if who is Refresher.UAC:
        lines.append(("Require", "timer"))
    lines.append(("Session-Expires", str(SessionExpires(interval_s=timer.interval_s, refresher=who))))
    return lines


def accept(timer: SessionTimer, response: Response) -> None:
    """Take over what the 2xx to a request of ours says; without the header there is no timer (section 7.2)."""
    granted = response.session_expires
    if "Allow" in response.headers:
        timer.by_update = "UPDATE" in response.allow
    if granted is None:
        timer.interval_s = 0
        return
    timer.interval_s = granted.interval_s
    timer.ours = granted.refresher is not Refresher.UAS
