"""examples/callback.py with real phones: the colleague alone hears the whisper, the customer sees our number."""

import pytest
from examples.sounds import tune
from tests.support.phones import ALIKE, Stage
from tests.support.server import ACCOUNT, SECRET

pytestmark = pytest.mark.native

COLLEAGUE, CUSTOMER, OURS = "+4600101", "+4600102", "+46101234567"


async def test_a_whisper_then_the_customer(theatre: Stage) -> None:
    api = theatre.server.http
    url, _ = await theatre.example(
        "callback",
        *("--colleague", COLLEAGUE, "--number", OURS, "--api", api, "--account", f"{ACCOUNT}:{SECRET}"),
    )
    colleague = await theatre.phone(COLLEAGUE, "--answer")
    customer = await theatre.phone(CUSTOMER, "--answer", "--hang-up-after", "1.5")
    async with theatre.server.session.post(f"{url}/callback", data={"customer": CUSTOMER}) as answer:
        assert answer.status == 200, await answer.text()
    assert (await customer.says("called"))["from"] == OURS
    assert await customer.done() == 0
    assert await colleague.done() == 0
    whisper = tune("whisper")
    assert colleague.heard(whisper).likeness > ALIKE
    assert customer.heard(whisper[:4000]).likeness < 0.5
