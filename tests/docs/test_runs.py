"""The commands of the README, the tutorial and the how-to guides do what their pages say."""

import re
import shutil
from pathlib import Path

import pytest
from tests.support.documents import Block, fenced, reader

from offhook.testing.listening import read_wav

ROOT = Path(__file__).parents[2]
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
