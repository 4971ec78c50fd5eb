"""A text written so that every engine reads it right: dates, amounts, times, telephone numbers, long runs of digits.

Only what an engine was heard to get wrong is changed; what they read well (`8 9 70`, `14:30`, `100 %`) is left alone.
Words are known for English, Swedish, German and Spanish; digits are told apart in every language. Pure.
"""

import re
from dataclasses import dataclass
from datetime import date

__all__ = ["written_out"]

LONG_RUN_DIGITS = 7
"""A number of so many digits without separators is a code or a telephone number, and is read digit by digit."""
BREATH_DIGITS = 3
"""Digits between two pauses, where nothing in the text says where they should be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Money:
    """A currency in one language: unit and hundredth, each for one and for many."""

    one: str
    many: str
    cent: str
    cents: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Language:
    months: tuple[str, ...]
    and_: str
    money: dict[str, _Money]
    decimal: str
    """The sign before decimals; the other of `.` and `,` parts thousands."""


def _months(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _money(words: str) -> _Money:
    one, many, cent, cents = words.split("/")
    return _Money(one=one, many=many, cent=cent, cents=cents)


LANGUAGES = {
    "en": _Language(
        months=_months("January February March April May June July August September October November December"),
        and_="and",
        decimal=".",
        money={
            "USD": _money("dollar/dollars/cent/cents"),
            "EUR": _money("euro/euros/cent/cents"),
            "GBP": _money("pound/pounds/penny/pence"),
            "SEK": _money("krona/kronor/öre/öre"),
        },
    ),
    "sv": _Language(
        months=_months("januari februari mars april maj juni juli augusti september oktober november december"),
        and_="och",
        decimal=",",
        money={
            "USD": _money("dollar/dollar/cent/cent"),
            "EUR": _money("euro/euro/cent/cent"),
            "GBP": _money("pund/pund/pence/pence"),
            "SEK": _money("krona/kronor/öre/öre"),
        },
    ),
    "de": _Language(
        months=_months("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
        and_="und",
        decimal=",",
        money={
            "USD": _money("Dollar/Dollar/Cent/Cent"),
            "EUR": _money("Euro/Euro/Cent/Cent"),
            "GBP": _money("Pfund/Pfund/Pence/Pence"),
            "SEK": _money("Krone/Kronen/Öre/Öre"),
        },
    ),
    "es": _Language(
        months=_months("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
        and_="con",
        decimal=",",
        money={
            "USD": _money("dólar/dólares/centavo/centavos"),
            "EUR": _money("euro/euros/céntimo/céntimos"),
            "GBP": _money("libra/libras/penique/peniques"),
            "SEK": _money("corona/coronas/öre/öre"),
        },
    ),
}
CURRENCIES = {
    "$": "USD", "usd": "USD", "€": "EUR", "eur": "EUR", "£": "GBP", "gbp": "GBP", "kr": "SEK", "sek": "SEK",
}  # fmt: skip
GERMAN_ORDINALS = tuple(
    "erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft dreizehnt vierzehnt fünfzehnt sechzehnt"  # noqa: SIM905
    " siebzehnt achtzehnt neunzehnt zwanzigst einundzwanzigst zweiundzwanzigst dreiundzwanzigst vierundzwanzigst"
    " fünfundzwanzigst sechsundzwanzigst siebenundzwanzigst achtundzwanzigst neunundzwanzigst dreißigst"
    " einunddreißigst".split()
)

_FIGURE = r"\d+(?:[.,\u00a0 ]\d{3})*(?:[.,]\d{1,2})?"
_ISO_DATE = re.compile(r"(?<![\d-])(\d{4})-(\d\d)-(\d\d)(?![\d-])")
_SHORT_DATE = re.compile(r"(?<![\d/.])(\d{1,2})([/.])(\d{1,2})\2(\d{4})(?![\d/])")
_GERMAN_DATE = re.compile(
    rf"(?<!\d)(\d{{1,2}})\.\s*({'|'.join(LANGUAGES['de'].months)})\b(?:\s+(\d{{4}}))?", re.IGNORECASE
)
_GERMAN_BEFORE = re.compile(r"\b(der|am|dem|den|vom|zum|seit|ab|bis)\s+$", re.IGNORECASE)
_MONEY_BEFORE = re.compile(rf"([$€£])\s?({_FIGURE})(?![\d.,]*\d)")
_MONEY_AFTER = re.compile(rf"(?<![\d.,])({_FIGURE})\s?(€|£|\$|(?:kr|sek|eur|usd|gbp)\b)", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<!\d)(?<!\d[ \u00a0])(\d{1,3}(?:[ \u00a0]000)+)(?![ \u00a0]?\d)")
_INTERNATIONAL = re.compile(r"(?<![\w+])\+(\d[\d /().\-–]{5,}\d)(?!\d)")
_NATIONAL = re.compile(r"(?<![\d+.,])(\(?0\d{1,4}\)?[ /\-–]+\d[\d \-–]{3,}\d|\(?\d{3}\)?[ .\-–]\d{3}[.\-–]\d{4})(?!\d)")
_RUN = re.compile(rf"(?<![\d.,])(\d{{{LONG_RUN_DIGITS},}}|0\d{{2,}})(?![.,]?\d)")
_SWEDISH_TIME = re.compile(r"\bkl(?:ockan|\.)?\s*(\d{1,2})[.:](\d\d)\b", re.IGNORECASE)
_SWEDISH_HOUR = re.compile(r"\bkl\.?\s*(?=\d)", re.IGNORECASE)
_ENGLISH_TIME = re.compile(r"(?<![\d:])(\d{1,2}):0(\d)(?![\d:])(?:\s*([ap])\.?m\b)?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d+),(\d+)(?![\d,])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028\u2029\ufeff\s]+")


def written_out(text: str, language: str) -> str:
    """The text for an engine. `language`: as BCP 47 has it, in lower case (`en-us`); only the form of words depends on
    it."""
    text = _CONTROLS.sub(" ", text).strip()
    primary = language.partition("-")[0]
    words = LANGUAGES.get(primary)
    if words is not None:
        text = _dates(text, primary, language, words)
        text = _amounts(text, words)
    text = _THOUSANDS.sub(lambda found: re.sub(r"\D", "", found[1]), text)
    text = _INTERNATIONAL.sub(lambda found: f"{_plus(primary)} {_told_apart(found[1])}", text)
    text = _NATIONAL.sub(lambda found: _told_apart(found[1]), text)
    if primary == "sv":
        text = _SWEDISH_TIME.sub(r"klockan \1:\2", text)
        text = _SWEDISH_HOUR.sub("klockan ", text)
        text = _DECIMAL_COMMA.sub(r"\1 komma \2", text)
    if primary == "en":
        text = _ENGLISH_TIME.sub(_english_time, text)
    return _RUN.sub(_run, text)


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _dates(text: str, primary: str, language: str, words: _Language) -> str:
    def said(day: int, month: int, year: int | None, before: str, found: str) -> str:
        try:
            date(year or 2000, month, day)
        except ValueError:
            return found
        return _date(primary, words.months[month - 1], day, year, before)

    def iso(found: re.Match[str]) -> str:
        return said(int(found[3]), int(found[2]), int(found[1]), text[: found.start()], found[0])

    def short(found: re.Match[str]) -> str:
        first, second = int(found[1]), int(found[3])
        # In the United States the month comes first; a thirteenth month says that it was not meant so.
        month_first = found[2] == "/" and language in ("en", "en-us") and first <= 12
        day, month = (second, first) if month_first else (first, second)
        return said(day, month, int(found[4]), text[: found.start()], found[0])

    text = _ISO_DATE.sub(iso, text)
    text = _SHORT_DATE.sub(short, text)
    if primary != "de":
        return text

    def german(found: re.Match[str]) -> str:
        month = [name.lower() for name in words.months].index(found[2].lower()) + 1
        return said(int(found[1]), month, int(found[3]) if found[3] else None, text[: found.start()], found[0])

    return _GERMAN_DATE.sub(german, text)


def _date(primary: str, month: str, day: int, year: int | None, before: str) -> str:
    match primary:
        case "en":
            ending = {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th") if day not in (11, 12, 13) else "th"
            return f"{month} {day}{ending}, {year}"
        case "sv":
            return f"{day}:{'a' if day % 10 in (1, 2) and day not in (11, 12) else 'e'} {month} {year}"
        case "de":
            article = _GERMAN_BEFORE.search(before)
            ending = "er" if article is None else "e" if article[1].lower() == "der" else "en"
            said = f"{GERMAN_ORDINALS[day - 1]}{ending} {month}"
            return said if year is None else f"{said} {year}"
        case _:
            return f"{day} de {month} de {year}"


# ── amounts and times ────────────────────────────────────────────────────────────────────────────────────────────────


def _amounts(text: str, words: _Language) -> str:
    text = _MONEY_BEFORE.sub(lambda found: _amount(found[2], found[1], words), text)
    return _MONEY_AFTER.sub(lambda found: _amount(found[1], found[2], words), text)


def _amount(figure: str, sign: str, words: _Language) -> str:
    money = words.money[CURRENCIES[sign.lower()]]
    # Two digits at the end, after either sign, are hundredths whatever the language: nobody groups thousands by two.
    parts = re.fullmatch(r"(.*?)(?:[.,](\d{1,2}))?", figure)
    assert parts is not None
    whole = int(re.sub(r"\D", "", parts[1]))
    hundredths = int((parts[2] or "0").ljust(2, "0"))
    said = f"{whole} {money.one if whole == 1 else money.many}"
    if not hundredths:
        return said
    rest = f"{hundredths} {money.cent if hundredths == 1 else money.cents}"
    return rest if not whole else f"{said} {words.and_} {rest}"


def _english_time(found: re.Match[str]) -> str:
    half = f" {found[3].upper()}M" if found[3] else ""
    if found[2] == "0":
        # On the full hour nobody says zero zero.
        return f"{found[1]}{half}" if half else f"{found[1]} o'clock" if int(found[1]) <= 12 else f"{found[1]} hundred"
    return f"{found[1]} oh {found[2]}{half}"


# ── digits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plus(primary: str) -> str:
    return {"es": "más"}.get(primary, "plus")


def _told_apart(text: str) -> str:
    """Digit by digit, with a pause where the text has a gap."""
    return ", ".join(" ".join(part) for group in re.findall(r"\d+", text) for part in _breaths(group))


def _breaths(digits: str) -> list[str]:
    """Up to four digits are said in one go; more in threes, and never a last one alone."""
    parts = []
    while len(digits) > BREATH_DIGITS + 1:
        parts.append(digits[:BREATH_DIGITS])
        digits = digits[BREATH_DIGITS:]
    return [*parts, digits]


def _run(found: re.Match[str]) -> str:
    digits = found[1]
    # Ten millions are an amount, not a code.
    return digits if digits.endswith("000") and digits[0] != "0" else _told_apart(digits)
