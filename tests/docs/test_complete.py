"""What exists is documented, and what is linked exists: settings, commands, routes, actions, files."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import typer
from tests.support.documents import fenced, pages

from offhook.cli.main import app
from offhook.config import Settings, load_settings
from offhook.flow.dialects import didml_parties, didml_reading, didml_sounds, elks_reading, elks_values
from offhook.media.tones import TONE_NAMES
from offhook.runtime.wellness import Ailment
from offhook.web.api import (
    elks,
    native,
    native_accounts,
    native_calls,
    native_changes,
    native_deliveries,
    native_events,
    native_numbers,
    native_restart,
    native_rooms,
    native_speech,
)

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
MADE_UP = {"a/b.py", "tests/a/test_b.py", "app.py", "offhook.toml"}
"""Names of the reader's files, or of none in particular."""


def text(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_settings(setting: str) -> None:
    assert f"| `{setting}` | `OFFHOOK_{setting.upper()}` |" in text("settings.md")


def commands(command: object, words: tuple[str, ...] = ("offhook",)) -> list[str]:
    children = getattr(command, "commands", None)
    if children is None:
        return [" ".join(words)]
    alone = [" ".join(words)] if command.invoke_without_command else []  # type: ignore[attr-defined]
    return alone + [found for name, child in children.items() for found in commands(child, (*words, name))]


@pytest.mark.parametrize("command", commands(typer.main.get_command(app)))
def test_commands(command: str) -> None:
    assert re.search(rf"^## {command}\b", text("cli.md"), re.MULTILINE)


def native_routes() -> list[str]:
    found = ["GET /v1/status"]
    for routes in (
        native_accounts,
        native_numbers,
        native_calls,
        native_changes,
        native_events,
        native_deliveries,
        native_restart,
        native_rooms,
        native_speech,
    ):
        for route in routes.router.routes:
            found += [f"{method} {route.path}" for method in route.methods]  # type: ignore[attr-defined]
    return sorted(found)


def test_status_is_all_that_stands_outside_the_routers() -> None:
    assert re.findall(r'app\.(?:get|post|put|delete)\("([^"]+)"', Path(native.__file__).read_text()) == ["/v1/status"]


@pytest.mark.parametrize("route", native_routes())
def test_native_routes(route: str) -> None:
    assert f"| `{route}` |" in text("http.md")


def test_no_native_route_is_made_up() -> None:
    assert sorted(re.findall(r"^\| `(\w+ /v1/[^`]*)`", text("http.md"), re.MULTILINE)) == native_routes()


@pytest.mark.parametrize("resource", elks.RESOURCES)
def test_resources_of_46elks(resource: str) -> None:
    assert f"| `GET /a1/{resource}` |" in text("http.md")


def test_actions_and_their_options() -> None:
    page = text("actions.md")
    keys = {*elks_reading._OPTIONS, *elks_reading._AFTER, "busy"}.union(*elks_reading._OPTIONS.values())
    assert sorted(key for key in keys if f"`{key}`" not in page) == []
    assert sorted(word for word in elks_reading._HANGUPS if f"`{word}`" not in page) == []
    assert sorted(tone for tone in TONE_NAMES if f"`sound/{tone}`" not in page) == []
    assert sorted(elks_values.TONES) == sorted(TONE_NAMES), "what the page names can be played"


@pytest.mark.parametrize("verb", [*didml_reading.VERBS, *didml_reading.SKIPPED])
def test_verbs_of_didml(verb: str) -> None:
    page = text("didml.md").partition("## Verbs")[2].partition("## Attributes")[0]
    assert re.search(rf"^\| [^|]*`{verb}`", page, re.MULTILINE)


def asked_attributes() -> set[str]:
    """Every attribute that the readers of didML ask for, as their own source has it."""
    asking = re.compile(
        r'attributes[.,] ?(?:text|raw|given|seconds|count|flag|document|told_url|method)?\(?((?:"[a-z]+"(?:, )?)+)'
    )
    sources = [Path(module.__file__).read_text() for module in (didml_reading, didml_parties, didml_sounds)]
    return {name for source in sources for found in asking.findall(source) for name in re.findall(r'"([a-z]+)"', found)}


def test_attributes_of_didml() -> None:
    page = text("didml.md").lower()
    asked = asked_attributes()
    assert {"numdigits", "senddigits", "maxparticipants", "fileid", "waitmethod", "length"} <= asked
    misprints = {"timout", "audiotype"}
    assert sorted(name for name in asked - misprints if f"`{name}`" not in page) == []


@pytest.mark.parametrize(
    ("attribute", "default"),
    [
        ("numDigits", didml_reading.NUM_DIGITS),
        ("minDigits", didml_reading.MIN_DIGITS),
        ("tries", didml_reading.TRIES),
        ("timeout", didml_reading.GATHER_TIMEOUT_S),
        ("timeout", didml_reading.SILENCE_S),
        ("timeout", didml_parties.RING_DEFAULT_S),
        ("timelimit", didml_parties.TALK_DEFAULT_S),
        ("maxlength", didml_reading.RECORD_DEFAULT_S),
        ("maxParticipants", didml_parties.MAX_PARTIES),
        ("length", didml_sounds.PAUSE_DEFAULT_S),
        ("voice", didml_sounds.VOICE_DEFAULT),
        ("language", didml_sounds.LANGUAGE_DEFAULT),
    ],
)
def test_defaults_of_didml(attribute: str, default: float | str) -> None:
    said = default if isinstance(default, str) else f"{default:g}"
    assert f"| `{attribute}` | {said} |" in text("didml.md")


@pytest.mark.parametrize(
    ("option", "default"),
    [
        ("timeout", elks_reading.RING_DEFAULT_S),
        ("timeout", elks_reading.IVR_TIMEOUT_DEFAULT_S),
        ("digits", elks_reading.DIGITS_DEFAULT),
        ("repeat", elks_reading.REPEAT_DEFAULT),
        ("timelimit", elks_reading.RECORD_DEFAULT_S),
    ],
)
def test_defaults(option: str, default: float) -> None:
    assert f"| `{option}` | {default:g} |" in text("actions.md")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    dead = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert dead == []


def headings(page: Path) -> set[str]:
    """What a link may lead to within a page, as GitHub names it."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-") for text in found}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_headings(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    targets = {(file, anchor): (page.parent / file).resolve() if file else page for file, anchor in links}
    assert [link for link, target in targets.items() if link[1] not in headings(target)] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_are_named_exist(page: Path) -> None:
    """A promise names the test that holds it; a test that was moved takes its name in the pages along."""
    named = re.findall(r"`([\w.][\w./-]+\.(?:py|rs|case|toml)|tests/[\w/-]+)`", page.read_text(encoding="utf-8"))
    missing = [
        name
        for name in {name.rstrip("/") for name in named} - MADE_UP
        if not any(f"/{path}".endswith(f"/{name}") for path in our_files())
    ]
    assert missing == []


@cache
def our_files() -> frozenset[str]:
    """Files and folders, from the root of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = {Path(line) for line in listed.splitlines()}
    return frozenset(map(str, files | {folder for file in files for folder in file.parents}))


def settings_files() -> list[tuple[Path, str]]:
    return [(page, block.text) for page in pages() for block in fenced(page) if block.language == "toml"]


@pytest.mark.parametrize(("page", "content"), settings_files(), ids=lambda value: getattr(value, "stem", "toml"))
def test_settings_files_can_be_used(page: Path, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OFFHOOK_{name.upper()}", raising=False)
    file = tmp_path / "offhook.toml"
    file.write_text(content, encoding="utf-8")
    load_settings(file)


def test_a_word_after_make_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in pages():
        for block in fenced(page):
            assert set(re.findall(r"^make ([a-z-]+)", block.text, re.MULTILINE)) <= targets, page


def test_ailments() -> None:
    page = (ROOT / "docs" / "howto" / "unwell.md").read_text(encoding="utf-8")
    assert [ailment.value for ailment in Ailment if f"| `{ailment.value}` |" not in page] == []
