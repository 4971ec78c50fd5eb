"""The registrar: which phone can be reached where (RFC 3261 section 10.3). A part of the endpoint that sends nothing.

Whether an address is ours and the phone is who it says is decided before, by the application. Path (RFC 3327) is not
supported. A phone that says its ``+sip.instance`` (RFC 5626) replaces its own older binding.
"""

from __future__ import annotations

from dataclasses import dataclass

from offhook.sip.commands import RegistrarPolicy
from offhook.sip.core import Core
from offhook.sip.events import Binding, BindingsChanged
from offhook.sip.headers.name_addr import NameAddr, Star
from offhook.sip.hop import Hop
from offhook.sip.message import Request
from offhook.sip.timers import Owner
from offhook.sip.uri import Uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a REGISTER is owed."""

    status: int
    lines: tuple[tuple[str, str], ...] = ()
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class Record:
    """One address of record; plain data."""

    aor: Uri
    bindings: list[Binding]


def record_key(aor: Uri) -> str:
    """What an address of record is filed under: the user as read, the host in small letters (section 10.3, step 5)."""
    return f"{aor.username or ''}@{aor.host.lower()}"


class Registrar:
    """All bindings of one endpoint."""

    __slots__ = ("_core", "records")

    def __init__(self, core: Core) -> None:
        self._core = core
        self.records: dict[str, Record] = {}

    def lookup(self, aor: Uri) -> tuple[Binding, ...]:
        """Where an address can be reached now, best first (q, then the newest)."""
        record = self.records.get(record_key(aor))
        if record is None:
            return ()
        now = self._core.now.mono
        return tuple(binding for binding in record.bindings if binding.expires_at > now)

    def process(self, request: Request, hop: Hop) -> Verdict:
        """Carry out a REGISTER, whole or not at all (section 10.3, steps 6 to 8)."""
        aor = request.to.uri.bare
        key = record_key(aor)
        before = list(self.lookup(aor))
        asked = request.contacts
        if isinstance(asked, Star):
            after = self._remove_all(request, before)
        else:
            after = self._update(request, asked, before, hop)
        if isinstance(after, Verdict):
            return after
        after.sort(key=lambda binding: (-binding.q, -binding.expires_at))
        if after:
            self.records[key] = Record(aor=aor, bindings=after)
        else:
            self.records.pop(key, None)
        if after != before:
            self._core.emit(BindingsChanged(aor=aor, bindings=tuple(after)))
        self.watch(key)
        return Verdict(status=200, lines=tuple(self._contact_lines(after)))

    def watch(self, key: str) -> None:
        """Set the timer of the binding that ends first."""
        record, core = self.records.get(key), self._core
        if record is None:
            core.timers.cancel(Owner.BINDING, key, "expiry")
            return
        first = min(binding.expires_at for binding in record.bindings)
        core.timers.set(Owner.BINDING, key, "expiry", first)

    def on_timer(self, key: str) -> None:
        """Drop what has expired."""
        record = self.records.get(key)
        if record is None:
            return
        now = self._core.now.mono
        left = [binding for binding in record.bindings if binding.expires_at > now]
        if len(left) != len(record.bindings):
            record.bindings = left
            if not left:
                del self.records[key]
            self._core.emit(BindingsChanged(aor=record.aor, bindings=tuple(left)))
        self.watch(key)

    def _remove_all(self, request: Request, before: list[Binding]) -> list[Binding] | Verdict:
        # Step 6: the star goes with Expires: 0 and nothing else.
        if request.expires != 0:
            return Verdict(status=400, reason="Contact * Needs Expires 0")
        if any(_out_of_order(binding, request) for binding in before):
            return _OUT_OF_ORDER
        return []

    def _update(
        self, request: Request, asked: list[NameAddr], before: list[Binding], hop: Hop
    ) -> list[Binding] | Verdict:
        policy = self._core.config.registrar
        after = list(before)
        for contact in asked:
            wanted = _expiry(request, contact, policy)
            if 0 < wanted < policy.min_expires_s:
                return Verdict(status=423, lines=(("Min-Expires", str(policy.min_expires_s)),))
            instance = contact.param("+sip.instance")
            same = [binding for binding in after if _is_same(binding, contact.uri, instance)]
            if any(_out_of_order(binding, request) for binding in same):
                return _OUT_OF_ORDER
            after = [binding for binding in after if binding not in same]
            if wanted:
                after.append(
                    Binding(
                        contact=contact.uri,
                        q=contact.q,
                        expires_at=self._core.now.mono + min(wanted, policy.max_expires_s),
                        hop=hop,
                        instance=instance,
                        user_agent=request.headers.get("User-Agent"),
                        call_id=request.call_id,
                        cseq=request.cseq.number,
                    )
                )
        if len(after) > policy.contacts_max and len(after) > len(before):
            return Verdict(status=403, reason="Too Many Contacts")
        return after

    def _contact_lines(self, bindings: list[Binding]) -> list[tuple[str, str]]:
        """Step 8: all bindings that stand, each with the seconds left; rounded up, so that none reads 0."""
        now = self._core.now.mono
        lines = []
        for binding in bindings:
            left = max(1, round(binding.expires_at - now))
            q = "" if binding.q == 1.0 else f";q={binding.q:g}"
            instance = "" if binding.instance is None else f";+sip.instance={_quoted(binding.instance)}"
            lines.append(("Contact", f"<{binding.contact}>{q};expires={left}{instance}"))
        return lines


_OUT_OF_ORDER = Verdict(status=500, reason="REGISTER Out Of Order")


def _out_of_order(binding: Binding, request: Request) -> bool:
    """Step 7: within one Call-ID a lower or equal number came late, and the whole request fails."""
    return binding.call_id == request.call_id and request.cseq.number <= binding.cseq


def _expiry(request: Request, contact: NameAddr, policy: RegistrarPolicy) -> int:
    """Step 7: the Contact's wish, else the header's, else ours."""
    if contact.expires_s is not None:
        return contact.expires_s
    return policy.default_expires_s if request.expires is None else request.expires


def _is_same(binding: Binding, contact: Uri, instance: str | None) -> bool:
    return binding.contact.matches(contact) or (instance is not None and binding.instance == instance)


def _quoted(text: str) -> str:
    return text if text.startswith('"') else f'"{text}"'
