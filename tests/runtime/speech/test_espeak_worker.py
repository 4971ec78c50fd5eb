"""The program itself, as a process: its protocol, and that it needs and has nothing of ours."""

import ast
import json
import struct
import subprocess
import sys
from pathlib import Path

import offhook.runtime.speech.espeak as engine
from offhook.runtime.speech import espeak_worker


def _ask(*requests: dict[str, object], data: str | None = None) -> list[tuple[bytes, bytes]]:
    library, found = engine._wheel()
    written = b"".join(struct.pack("<I", len(each)) + each for each in (json.dumps(r).encode() for r in requests))
    done = subprocess.run(
        [sys.executable, "-I", "-S", espeak_worker.__file__, library, data or found],
        input=written,
        capture_output=True,
        timeout=60,
        check=True,
    )
    frames, rest = [], done.stdout
    while rest:
        (size,) = struct.unpack_from("<I", rest)
        frames.append((rest[4:5], rest[5 : 4 + size]))
        rest = rest[4 + size :]
    return frames


def test_it_speaks_and_ends_with_its_input() -> None:
    frames = _ask({"text": "Hello", "language": "en-us", "variant": "f5"})
    assert frames[0] == (b"r", struct.pack("<I", 22_050))
    assert frames[-1] == (b"e", b"")
    samples = sum(len(content) // 2 for kind, content in frames if kind == b"s")
    assert 0.3 < samples / 22_050 < 2


def test_it_lists_its_languages() -> None:
    kinds = dict(_ask({"list": True}))
    assert {"en-us", "en-gb", "es", "sv", "de", "fr"} <= set(json.loads(kinds[b"v"]))


def test_each_language_of_the_list_has_a_voice() -> None:
    languages = json.loads(dict(_ask({"list": True}))[b"v"])
    frames = _ask(*({"text": "1", "language": language, "variant": "m1"} for language in languages))
    assert [content for kind, content in frames if kind == b"f"] == []
    assert sum(kind == b"e" for kind, _ in frames) == len(languages)


def test_what_it_cannot_do_it_says_and_goes_on() -> None:
    frames = _ask(
        {"text": "Hello", "language": "tlh", "variant": "f5"},
        {"text": "Hello", "language": "en-us", "variant": "nobody"},
        {"text": "Hello\x00 you", "language": "en-us", "variant": "f5"},
    )
    said = [content.decode() for kind, content in frames if kind == b"f"]
    assert said == ["espeak-ng does not speak tlh", "espeak-ng has no voice nobody"]
    assert frames[-1] == (b"e", b"")


def test_without_its_data_it_says_so(tmp_path: Path) -> None:
    (kind, why) = _ask({"list": True}, data=str(tmp_path))[0]
    assert kind == b"f"
    assert str(tmp_path) in why.decode()


def test_it_imports_nothing_of_ours() -> None:
    """The library is under the GPL: only this program may load it, and it is spoken to by pipes alone."""
    tree = ast.parse(Path(espeak_worker.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in names if name.partition(".")[0] not in sys.stdlib_module_names]


def test_the_server_never_loads_it() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", PROOF], capture_output=True, text=True, timeout=60, check=True, cwd=Path.cwd()
    )
    assert loaded.stdout.split() == ["spoken", "apart"]


PROOF = """
import asyncio, sys
from contextlib import aclosing
sys.path[:0] = ["src"]
from offhook.runtime.speech.espeak import Espeak
from offhook.runtime.speech.provider import Utterance

async def main():
    espeak = Espeak()
    async with aclosing(espeak.speak(Utterance(text="Hello", language="en-us", voice="f5"))) as pieces:
        print("spoken" if [piece async for piece in pieces] else "silent")
    await espeak.close()
    maps = open("/proc/self/maps").read() if sys.platform == "linux" else ""
    print("apart" if "espeak" not in maps and "espeakng_loader" not in sys.modules else "loaded")

asyncio.run(main())
"""
