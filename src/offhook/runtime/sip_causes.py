"""Between SIP statuses and causes (RFC 3261 section 21, RFC 3326); an unknown status counts as its class.

`cause_of` reads what a far end refused with; `status_of` says what a caller is told who was never answered.
"""

from offhook.flow.view import Cause

__all__ = ["Q850_CAUSES", "cause_of", "reason_of", "status_of"]

_CAUSES: dict[int, Cause] = {
    401: Cause.NOT_ALLOWED,  # our credentials were not taken
    402: Cause.NOT_ALLOWED,
    403: Cause.NOT_ALLOWED,
    404: Cause.NOT_FOUND,
    407: Cause.NOT_ALLOWED,
    408: Cause.NO_ANSWER,
    410: Cause.NOT_FOUND,
    415: Cause.INCOMPATIBLE_MEDIA,
    480: Cause.UNAVAILABLE,
    484: Cause.NOT_FOUND,
    485: Cause.NOT_FOUND,
    486: Cause.BUSY,
    487: Cause.CANCELLED,
    488: Cause.INCOMPATIBLE_MEDIA,
    503: Cause.CONGESTION,
    600: Cause.BUSY,
    603: Cause.REJECTED,
    604: Cause.NOT_FOUND,
    606: Cause.INCOMPATIBLE_MEDIA,
    607: Cause.REJECTED,  # RFC 8197
    608: Cause.REJECTED,  # RFC 8688
}

_STATUSES: dict[Cause, int] = {
    Cause.NORMAL: 480,  # a flow that came to its end and never answered: nobody was there
    Cause.CANCELLED: 487,
    Cause.ANSWERED_ELSEWHERE: 487,
    Cause.BUSY: 486,
    Cause.REJECTED: 603,
    Cause.NO_ANSWER: 480,
    Cause.UNAVAILABLE: 480,
    Cause.NOT_FOUND: 404,
    Cause.NOT_ALLOWED: 403,
    Cause.NETWORK_ERROR: 503,
    Cause.INCOMPATIBLE_MEDIA: 488,
    Cause.CONGESTION: 503,
    Cause.MEDIA_LOST: 503,
    Cause.TIME_LIMIT: 480,
    Cause.NO_CREDIT: 403,
    # 503 lets a trunk go elsewhere: the fault is on our customer's side, not the caller's.
    Cause.HOOK_FAILED: 503,
    Cause.BAD_DOCUMENT: 503,
    Cause.FLOW_LOOP: 503,
    Cause.NO_FLOW: 480,
    Cause.SERVER_SHUTDOWN: 503,
    Cause.SERVER_RESTART: 503,
    Cause.INTERNAL_ERROR: 500,
}

Q850_CAUSES: dict[int, Cause] = {
    1: Cause.NOT_FOUND,
    16: Cause.NORMAL,
    17: Cause.BUSY,
    18: Cause.NO_ANSWER,
    19: Cause.NO_ANSWER,
    20: Cause.UNAVAILABLE,
    21: Cause.REJECTED,
    27: Cause.UNAVAILABLE,
    28: Cause.NOT_FOUND,
    34: Cause.CONGESTION,
    38: Cause.NETWORK_ERROR,
    41: Cause.NETWORK_ERROR,
    42: Cause.CONGESTION,
    57: Cause.NOT_ALLOWED,
    102: Cause.NETWORK_ERROR,
}
"""ITU-T Q.850 causes that a `Reason` header may carry (RFC 3326 section 2), where they say more than the status."""


def cause_of(status: int) -> Cause:
    """Why the far end refused, from its final status of 300 to 699."""
    if (known := _CAUSES.get(status)) is not None:
        return known
    if 300 <= status < 400:
        return Cause.UNAVAILABLE  # moved; we do not follow where a network sends us
    if 500 <= status < 600:
        return Cause.NETWORK_ERROR
    return Cause.REJECTED


def status_of(cause: Cause) -> int:
    """The final status for a caller whom nothing of ours has answered."""
    return _STATUSES[cause]


def reason_of(cause: Cause) -> str | None:
    """A `Reason` header for the end of a leg, where it was not an ordinary one (RFC 3326)."""
    if cause is Cause.ANSWERED_ELSEWHERE:
        return 'SIP;cause=200;text="Call completed elsewhere"'
    if cause in (Cause.NORMAL, Cause.CANCELLED, Cause.TIME_LIMIT):
        return None
    return f'SIP;cause={status_of(cause)};text="{cause.value}"'
