"""The commands of the README, the tutorial and the how-to guides do what their pages say."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.customer import Customer, customer
from tests.support.documents import Block, Reader, fenced, reader

from offhook.testing.listening import read_wav

ROOT = Path(__file__).parents[2]
REPLAY = "docs/howto/replay-deliveries.md"
pytestmark = [
    pytest.mark.native,
    pytest.mark.timeout(500),
    pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl, and it is not installed"),
]


def blocks(page: str) -> list[Block]:
    found = fenced(ROOT / page)
    assert found, page
    return found


async def test_the_readme(tmp_path: Path) -> None:
    async with reader(tmp_path) as shell:
        await shell.read(blocks("README.md"))
        said = "\n".join(shell.output)
    assert '"state": "ongoing"' in said, "the call was made"
    assert re.search(r"^c[0-9a-f]{32}  .* outgoing +\+46700000000 +\+4600100", said, re.MULTILINE), "and is listed"
    assert "+46101234567" in said, "the number was added"


async def test_the_tutorial(tmp_path: Path) -> None:
    async with reader(tmp_path) as shell:
        await shell.read(blocks("docs/tutorial/first-call.md"))
        said = shell.output
    assert len([text for text in said if "The call ended: success" in text]) == 2
    menu = said[-1]
    assert "verb=gather result=1" in menu
    assert "leg=1 to=+4600100" in menu
    assert (tmp_path / "heard.wav").exists()
    assert len(read_wav(tmp_path / "heard.wav")) > 8000
    assert any("the caller pressed 1" in log.read_text() for log in tmp_path.glob("background-*.out"))


@pytest.mark.parametrize("page", ["trunk", "phones", "46elks"])
async def test_a_guide(page: str, tmp_path: Path) -> None:
    server = Block(language="sh", rest="background", text="offhook serve --dev\n")
    async with reader(tmp_path) as shell:
        await shell.read([server, *blocks(f"docs/howto/{page}.md")])
        assert shell.output


@asynccontextmanager
async def at_work(folder: Path) -> AsyncIterator[tuple[Reader, Customer]]:
    """A server with a phone that answers, and a web application, as most guides take for granted."""
    phone = "offhook phone add +4600100\noffhook phone run --as +4600100 --answer --calls 0\n"
    async with reader(folder) as shell, customer() as application:
        for text in ("offhook serve --dev\n", phone):
            await shell.read([Block(language="sh", rest="background", text=text)])
        account = (folder / "offhook-data" / "dev-account").read_text().strip()
        shell.environment["ID"], shell.environment["SECRET"] = account.split(":")
        yield shell, application


async def typed(shell: Reader, text: str) -> str:
    """One block, and what it printed."""
    await shell.read([Block(language="sh", rest="", text=text)])
    return shell.output[-1]


async def called(shell: Reader, application: Customer, voice_start: str, more: str = "") -> str:
    """A call to the phone, as soon as its own application has heard that it was answered; its id."""
    answered = application.on("/answered", voice_start)
    count = len(application.got("/answered")) + 1
    made = await typed(
        shell,
        "curl -s http://127.0.0.1:8046/a1/calls -u $ID:$SECRET -d from=%2B46700000000 -d to=%2B4600100"
        f" --data-urlencode voice_start={answered} {more}\n",
    )
    await application.hook("/answered", count)
    return str(json.loads(made)["id"])


async def test_the_guide_to_changing_a_live_call(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (shell, application):
        application.on("/closing", {"hangup": "true"})
        shell.instead["https://app.example.com"] = application.url
        for block in blocks("docs/howto/live-calls.md"):
            shell.environment["CALL"] = await called(shell, application, '{"ivr": "sound/music", "timeout": 60}')
            await shell.read([block])
            if "curl" in block.text:
                assert re.findall(r'"changed":"(\w+)"', shell.output[-1]) == ["mute", "url"]
                await application.hook("/closing")
            else:
                assert len(shell.output[-1].splitlines()) == len(block.text.splitlines()), "a line for each command"
                await application.hook("/recorded")
        assert len(shell.output) == 4


async def test_the_guide_to_replaying_deliveries(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (shell, application):
        down = application.on("/over", lambda _: web.Response(status=500))
        await typed(shell, "offhook account delivery listed --pauses 1\n")
        await called(shell, application, '{"hangup": "true"}', f"-d whenhangup={down}")
        lost = await application.hook("/over", 2)
        (made_up,) = set(re.findall(r"msg_[0-9a-f]{32}_hangup", "".join(b.text for b in blocks(REPLAY))))
        shell.instead[made_up] = lost.headers["webhook-id"]
        listed, replayed, chosen = (block for block in blocks(REPLAY) if block.language == "sh")
        async with asyncio.timeout(30):
            while "dead" not in await typed(shell, "offhook deliveries\n"):
                pass  # it is when the second answer was noted
        await shell.read([listed])
        assert len(re.findall(rf"^{lost.headers['webhook-id']} .* dead +2 +500", shell.output[-1], re.MULTILINE)) == 2
        assert re.search(r"^ +state=success$", shell.output[-1], re.MULTILINE), "what it says"
        application.on("/over", "")
        await shell.read([replayed])
        again = await application.hook("/over", 3)
        assert again.headers["webhook-id"] == lost.headers["webhook-id"]
        assert "was dead, and is sent once more" in shell.output[-1]
        await shell.read([chosen])
        assert json.loads(await typed(shell, "offhook account delivery --json\n"))["policy"] is None


async def test_the_guide_to_deploys_without_dropped_calls(tmp_path: Path) -> None:
    async with at_work(tmp_path) as (shell, application):
        call = await called(shell, application, '{"ivr": "sound/music", "timeout": 60}')
        await shell.read([block for block in blocks("docs/howto/restart.md") if block.language == "sh"])
        assert re.search(r"^restarted in [\d.]+ s; calls: 1 before, 1 now$", shell.output[-1], re.MULTILINE)
        assert shell.output[-1].endswith("ready")
        assert await typed(shell, f"offhook call hang-up {call}\n")


async def test_the_guide_for_a_web_application_that_is_down(tmp_path: Path) -> None:
    page = "docs/howto/web-application-down.md"
    async with at_work(tmp_path) as (shell, application):
        shell.instead["https://backup.example.com"] = application.url
        await typed(
            shell,
            "offhook trunk add carrier --address sip:192.0.2.1 --prefix +46\n"
            "offhook number add +46101234567 --trunk carrier --voice-start https://app.example.com/calls\n",
        )
        await shell.read([block for block in blocks(page) if block.language == "sh"])
        assert json.loads(await typed(shell, "offhook account webhooks --json\n"))["retry_timeouts"]
        nobody = "http://127.0.0.1:8080/gone"
        application.on("/calls", {"play": "sound/beep"})
        said = await typed(shell, f"offhook call +4600100 --from +46700000000 --voice-start {nobody}\n")
        asked = await application.hook("/calls")
        assert asked.fields["failed_why"] == "hook_refused"
        assert {"failed_url", "failed_why", "failed_detail"} <= asked.fields.keys()
        assert "The call ended: success" in said


async def test_the_examples_page(tmp_path: Path) -> None:
    server = Block(language="sh", rest="background", text="offhook serve --dev\n")
    async with reader(tmp_path) as shell:
        await shell.read([server, *blocks("examples/README.md")])
        assert "verb.begun              verb=gather" in shell.output[-1]


def test_the_unit_names_what_is_installed() -> None:
    (unit,) = (block.text for block in blocks("docs/howto/deploy.md") if block.language == "ini")
    assert "ExecStart=/opt/offhook/bin/offhook serve --config /etc/offhook/offhook.toml" in unit
    (settings, *_) = (block.text for block in blocks("docs/howto/deploy.md") if block.language == "toml")
    directory = re.search(r"^StateDirectory=(\w+)$", unit, re.MULTILINE)
    assert directory is not None
    assert f'data_dir = "/var/lib/{directory[1]}"' in settings
