"""The snippets of docs/howto/check-signatures.md accept what the server signs, and nothing else."""

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import WebhookVerificationError
from tests.support.documents import fenced

from offhook.hooks.request import Purpose, WebhookRequest
from offhook.runtime.signing import signed_by

PAGE = Path(__file__).parents[2] / "docs/howto/check-signatures.md"
KEY, OLD = "whsec_" + "bmV3+/8A" * 4, "whsec_" + "b2xk" * 8
BODY = b"state=success&to=%2B46700000001"

Genuine = Callable[[str, dict[str, str], bytes], bool]


def snippets(language: str) -> list[str]:
    return [block.text for block in fenced(PAGE) if block.language == language]


def in_python(key: str, headers: dict[str, str], body: bytes) -> bool:
    names: dict[str, Any] = {}
    exec(snippets("python")[0], names)
    found = names["genuine"](key, headers, body)
    assert isinstance(found, bool)
    return found


def by_the_library(key: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        exec(snippets("python")[1], {"key": key, "headers": headers, "body": body})
    except WebhookVerificationError:
        return False
    return True


def in_javascript(key: str, headers: dict[str, str], body: bytes) -> bool:
    (snippet,) = snippets("javascript")
    given = ", ".join(json.dumps(each) for each in (key, headers, body.decode()))
    program = f"{snippet}\nconsole.log(genuine({given}));\n"
    said = subprocess.run(
        ["node", "--input-type=module", "-"], input=program, capture_output=True, text=True, check=True, timeout=60
    )
    return {"true": True, "false": False}[said.stdout.strip()]


def signed(at: datetime, *keys: str) -> dict[str, str]:
    request = WebhookRequest(id="msg_c_hangup", purpose=Purpose.OWED, call="c", url="http://h/", account="u1")
    return dict(signed_by(lambda *_: keys, lambda: at)(request, BODY))


@pytest.mark.parametrize("genuine", [in_python, by_the_library, in_javascript])
def test_a_snippet(genuine: Genuine) -> None:
    now = datetime.now(UTC)
    assert genuine(KEY, signed(now, KEY), BODY)
    assert genuine(OLD, signed(now, KEY, OLD), BODY), "while keys overlap, either will do"
    assert not genuine(OLD, signed(now, KEY), BODY)
    assert not genuine(KEY, signed(now, KEY), BODY + b"1")
    assert not genuine(KEY, {**signed(now, KEY), "webhook-id": "msg_other"}, BODY)
    assert not genuine(KEY, signed(now - timedelta(minutes=6), KEY), BODY), "a repetition of long ago"
