"""What is written out, and that espeak-ng then says what a person would: its phonemes of the text, against those of the
same thing in words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.phonemes import phonemes

from offhook.runtime.speech.words import written_out

SAID = [
    ("en-us", "Your pin is 8 9 70", "Your pin is eight nine seventy"),
    ("en-us", "8 9 7 0", "eight nine seven zero"),
    ("en-us", "Call 070-123 45 67", "Call zero seven zero one two three four five six seven"),
    ("en-us", "Call +46701234567", "Call plus four six seven zero one two three four five six seven"),
    ("en-us", "(555) 123-4567", "five five five one two three four five six seven"),
    ("en-us", "1234567890", "one two three four five six seven eight nine zero"),
    ("en-us", "code 007", "code zero zero seven"),
    ("en-us", "It is 10 000.", "It is ten thousand."),
    ("en-us", "10000000", "ten million"),
    ("en-us", "on 2026-11-21", "on November twenty first, two thousand twenty six"),
    ("en-us", "11/21/2026", "November twenty first, two thousand twenty six"),
    ("en-us", "21/11/2026", "November twenty first, two thousand twenty six"),
    ("en-gb", "3/11/2026", "November third, 2026"),
    ("en-us", "It costs $25.50", "It costs twenty five dollars and fifty cents"),
    ("en-us", "€1,250.00", "one thousand two hundred fifty euros"),
    ("en-us", "$0.99 or £1", "ninety nine cents or one pound"),
    ("en-us", "at 9:05", "at nine oh five"),
    ("en-us", "at 14:30", "at fourteen thirty"),
    ("sv", "Din kod är 8 9 7 0", "Din kod är åtta nio sju noll"),
    ("sv", "Ring 08-123 456 78", "Ring noll åtta ett två tre fyra fem sex sju åtta"),
    ("sv", "den 2026-11-21", "den 21:a november 2026"),
    ("sv", "25,50 kr", "25 kronor och 50 öre"),
    ("sv", "12 500 kr", "12500 kronor"),
    ("sv", "€25", "25 euro"),
    ("sv", "3,5 procent", "tre komma fem procent"),
    ("de", "Ihre PIN ist 8 9 70", "Ihre PIN ist acht neun siebzig"),
    ("de", "am 21. November", "am einundzwanzigsten November"),
    ("de", "der 1.5.2027", "der erste Mai 2027"),
    ("de", "25,50 €", "fünf und zwanzig Euro und fünfzig Cent"),
    ("de", "030 123456", "null drei null eins zwei drei vier fünf sechs"),
    ("es", "Su pin es 8 9 7 0", "Su pin es ocho nueve siete cero"),
    ("es", "el 21/11/2026", "el 21 de noviembre de 2026"),
    ("es", "25,50 €", "veinticinco euros con cincuenta céntimos"),
    ("fr", "0123456789", "zéro un deux trois quatre cinq six sept huit neuf"),
]
AS_IT_IS = [
    ("en", "version 1.2.3 at 10.0.0.1"),
    ("en", "8 9 70 and 12-34"),
    ("en", "1,250 or 3.5 or 100 %"),
    ("en", "99/99/2026, 2026-13-45"),
    ("fr", "le 21/11/2026, 25,50 €"),
]


def _heard(text: str) -> str:
    """Without what depends on neighbours only: stress and length, linking and the gaps between words."""
    return re.sub(r"[ˈˌː\s|_-]", "", text)


def test_an_engine_says_what_a_person_would() -> None:
    asked = [(language, written_out(text, language)) for language, text, _ in SAID]
    wanted = [(language, words) for language, _, words in SAID]
    said = phonemes(asked + wanted)
    wrong = {
        f"{language}: {text} → {asked[at][1]}": (said[at], said[at + len(SAID)])
        for at, (language, text, _) in enumerate(SAID)
        if _heard(said[at]) != _heard(said[at + len(SAID)])
    }
    assert wrong == {}


@pytest.mark.parametrize("engine_fault", ["Call +46701234567", "It costs $25.50", "on 2026-11-21"])
def test_what_is_changed_is_said_wrongly_without(engine_fault: str) -> None:
    """Else the rule would not be needed."""
    words = next(words for _, text, words in SAID if text == engine_fault)
    plain, wanted = phonemes([("en-us", engine_fault), ("en-us", words)])
    assert _heard(plain) != _heard(wanted)


@pytest.mark.parametrize(("language", "text"), AS_IT_IS)
def test_what_is_well_said_or_not_understood_is_left_alone(language: str, text: str) -> None:
    assert written_out(text, language) == text


@pytest.mark.parametrize(
    ("language", "text", "written"),
    [
        ("en", "a\x00b\n\n c\u200b", "a b c"),
        ("en", "at 9:00 am", "at 9 AM"),
        ("en", "at 9:00 or 15:00", "at 9 o'clock or 15 hundred"),
        ("sv", "kl. 8 eller klockan 14.30", "klockan 8 eller klockan 14:30"),
        ("sv", "den 2026-11-03", "den 3:e november 2026"),
        ("sv", "1 kr", "1 krona"),
        ("de", "Termin 3.1.2027", "Termin dritter Januar 2027"),
        ("de", "am 31. Februar", "am 31. Februar"),
        ("en-us", "+46 70 123 45 67.", "plus 4 6, 7 0, 1 2 3, 4 5, 6 7."),
        ("es", "+34 912345678", "más 3 4, 9 1 2, 3 4 5, 6 7 8"),
    ],
)
def test_written(language: str, text: str, written: str) -> None:
    assert written_out(text, language) == written


@given(st.text(max_size=200), st.sampled_from(["en-us", "sv", "de", "es", "fr", ""]))
def test_any_text_is_taken(text: str, language: str) -> None:
    """And no digit of it is lost, where no date, amount or time was in it."""
    written = written_out(text, language)
    assert "\x00" not in written
    if re.search(r"[^\d\s]", text) is None:
        digits = "".join(sign for sign in text if sign.isdigit())
        assert "".join(sign for sign in written if sign.isdigit()) == digits
