"""Event, Subscription-State and Replaces (RFC 6665 section 8.2, RFC 3891 section 6.1)."""

from __future__ import annotations

from dataclasses import dataclass

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import Params, find_param, format_params, is_call_id, is_token, parse_params
from offhook.sip.headers.timers import parse_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event package with its templates (`refer`, `presence.winfo`) and which subscription to it is meant."""

    package: str
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Event:
        """`event-type *( SEMI event-param )`; otherwise `SyntaxFault`."""
        package, params = _token_with_params("Event", text)
        return cls(package=package, params=params)

    @property
    def id(self) -> str | None:
        """The `id` parameter, or `None`."""
        return find_param(self.params, "id")

    def __str__(self) -> str:
        return f"{self.package}{format_params(self.params)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionState:
    """`active`, `pending`, `terminated` or another state, with `expires`, `reason` and `retry-after`."""

    state: str
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> SubscriptionState:
        """`substate-value *( SEMI subexp-params )`; otherwise `SyntaxFault`."""
        state, params = _token_with_params("Subscription-State", text)
        return cls(state=state.lower(), params=params)

    @property
    def expires_s(self) -> int | None:
        """Seconds left, or `None` if it is not said."""
        value = find_param(self.params, "expires")
        return None if value is None else parse_seconds("Subscription-State expires", value)

    @property
    def reason(self) -> str | None:
        """Why it ended: `noresource`, `timeout`…"""
        return find_param(self.params, "reason")

    def __str__(self) -> str:
        return f"{self.state}{format_params(self.params)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaces:
    """The dialog that an INVITE takes the place of, tags as the receiver of the INVITE sees them."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        """`callid *( SEMI replaces-param )`, each tag exactly once; otherwise `SyntaxFault`."""
        call_id, semicolon, rest = text.partition(";")
        call_id = call_id.strip(" \t")
        params = parse_params("Replaces", semicolon + rest)
        names = [name.lower() for name, _ in params]
        if not is_call_id(call_id) or names.count("to-tag") != 1 or names.count("from-tag") != 1:
            raise SyntaxFault("Replaces", "is not a Call-ID with one to-tag and one from-tag", text)
        return cls(
            call_id=call_id,
            to_tag=find_param(params, "to-tag") or "",
            from_tag=find_param(params, "from-tag") or "",
            early_only="early-only" in names,
        )

    def __str__(self) -> str:
        flag = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{flag}"


def _token_with_params(what: str, text: str) -> tuple[str, Params]:
    name, semicolon, rest = text.partition(";")
    name = name.strip(" \t")
    if not is_token(name):
        raise SyntaxFault(what, "does not begin with a token", text)
    return name, parse_params(what, semicolon + rest)
