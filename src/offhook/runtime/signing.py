"""Signs webhooks by the Standard Webhooks specification: id, time and body under the account's key, never the URL.

Beside the services' own rules: a receiver that knows nothing of it loses nothing. A request that is nobody's (a sound
that is fetched) carries none of these headers.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from standardwebhooks import Webhook

from offhook.hooks.request import Headers, WebhookRequest

__all__ = ["KeysOf", "Signer", "signed_by"]

SIGNERS_KEPT = 1000

KeysOf = Callable[[str, datetime], tuple[str, ...]]
Signer = Callable[[WebhookRequest, bytes], Headers]


def signed_by(keys: KeysOf, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Signer:
    """What adds the headers to each try of a request, given its body as it is sent.

    `keys`: an account's keys that are in force (`whsec_...`). Each gives a signature; a receiver that knows one of them
    is satisfied, which is what makes rotation possible.
    """

    def headers(request: WebhookRequest, body: bytes) -> Headers:
        if not request.account:
            return ()
        now = clock()
        text = body.decode("utf-8")
        signatures = [_webhook(key).sign(request.id, now, text) for key in keys(request.account, now)]
        numbered = (("offhook-sequence", str(request.sequence)),) if request.sequence else ()
        return (
            ("webhook-id", request.id),
            # The time of this try, not of the first one: a receiver refuses what is minutes old.
            ("webhook-timestamp", str(int(now.timestamp()))),
            ("webhook-signature", " ".join(signatures)),
            *numbered,
        )

    return headers


@lru_cache(SIGNERS_KEPT)
def _webhook(key: str) -> Webhook:
    return Webhook(key)
