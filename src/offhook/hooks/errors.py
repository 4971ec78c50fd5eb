"""Why a webhook or a fetch came to nothing: a stable word, and a sentence for the timeline that says what to do.

Every cause is the receiver's or the network's, but for `LOCAL`: this machine has run out of something. A fault of ours
is an exception, never one of these.
"""

from dataclasses import dataclass
from enum import Enum

DETAIL_CHARS = 200


class HookCause(Enum):
    """The word in timelines and in `/v1`; stable."""

    URL = "hook_url"
    BLOCKED = "hook_blocked"
    DNS = "hook_dns"
    REFUSED = "hook_refused"
    UNREACHABLE = "hook_unreachable"
    CONNECT_TIMEOUT = "hook_connect_timeout"
    TLS = "hook_tls"
    RESET = "hook_reset"
    TIMEOUT = "hook_timeout"
    STATUS = "hook_status"
    REDIRECT = "hook_redirect"
    TOO_LARGE = "hook_too_large"
    BROKEN = "hook_broken"
    LOCAL = "hook_local"
    """Nothing was asked, for want of descriptors or memory here: it says nothing of the receiver."""


_SENTENCES = {
    HookCause.URL: "The URL cannot be used ({detail}): give a full http or https URL.",
    HookCause.BLOCKED: "The URL leads to {detail}, which is not a public address: add its network to webhook_allow if"
    " that is meant.",
    HookCause.DNS: "The host name was not found ({detail}): check its spelling and its DNS records.",
    HookCause.REFUSED: "The connection was refused by {detail}: check that the web server runs and listens there.",
    HookCause.UNREACHABLE: "The web server could not be reached ({detail}).",
    HookCause.CONNECT_TIMEOUT: "No connection within {detail}: check firewalls between here and the web server.",
    HookCause.TLS: "TLS failed ({detail}): check the certificate, its host name and its chain.",
    HookCause.RESET: "The web server closed the connection before it had answered ({detail}).",
    HookCause.TIMEOUT: "No whole answer within {detail}: answer sooner, and do slow work afterwards.",
    HookCause.STATUS: "The web server answered {detail}; any of 200 to 204 is wanted.",
    HookCause.REDIRECT: "The redirect was not followed ({detail}): give the URL that answers itself.",
    HookCause.TOO_LARGE: "The answer is larger than {detail}.",
    HookCause.LOCAL: "This server could not ask ({detail}): it is short of something.",
    HookCause.BROKEN: "The answer was not understandable HTTP or stopped half way ({detail}).",
}

# The request has not been acted upon, or the receiver says itself that it failed: once more is safe enough.
_WORTH_A_RETRY = frozenset(
    {
        HookCause.DNS,
        HookCause.REFUSED,
        HookCause.UNREACHABLE,
        HookCause.CONNECT_TIMEOUT,
        HookCause.RESET,
        HookCause.BROKEN,
        HookCause.LOCAL,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFailure:
    """A cause with its detail (`status`: the HTTP status, where there was one)."""

    cause: HookCause
    detail: str
    status: int | None = None

    @property
    def sentence(self) -> str:
        """For the customer's timeline, on one line."""
        short = " ".join(self.detail.split())
        short = short if len(short) <= DETAIL_CHARS else short[: DETAIL_CHARS - 1] + "…"
        return _SENTENCES[self.cause].format(detail=short)

    @property
    def worth_a_retry(self) -> bool:
        """A connection error, or a 5xx. Time-outs are not: a slow application may have acted."""
        return self.cause in _WORTH_A_RETRY or (self.status is not None and self.status >= 500)


class WrongHookUrl(ValueError):
    """A URL that cannot be asked. `str()` says why, short enough for `HookFailure.detail`."""
