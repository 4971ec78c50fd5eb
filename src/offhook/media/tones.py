"""The tones that a telephone exchange makes, by country, and keys to be sent. Figures of ITU-T E.180 supplement 2.
Also what those hear who wait or meet: music of our own, and the tones of coming and going.

A tone is one period of its cadence as 16-bit samples at 8000 Hz: played in a loop it has no seam, since every steady
part lasts whole seconds of whole hertz. What a key sequence means stands here too; how its tones sound is the engine's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from offhook.media.commands import DigitTone
from offhook.media.frames import SAMPLE_RATE_HZ, Samples

__all__ = ["COUNTRIES", "TONE_NAMES", "Cadence", "digit_tones", "tone"]

TONE_AMPLITUDE: Final = 4000
"""Of one frequency: about -15 dBm0, within the range that E.180 gives (-10 ± 5 for two of them)."""
RAMP_MS: Final = 5
"""Every burst begins and ends softly: a step would click, and would look like a key to a detector."""
BEEP_HZ, BEEP_MS = 1000, 400
STEP_MS = 130
STEPS_HZ: Final[Mapping[str, tuple[int, int]]] = MappingProxyType({"enter": (440, 587), "exit": (587, 440)})
"""Two notes, up for who comes to a conference and down for who leaves it."""
DIGIT_MS, DIGIT_GAP_MS = 120, 80
"""Well above the 40 ms that Q.24 asks for, so that slow detectors hear it too."""
PAUSES_MS: Final[Mapping[str, int]] = MappingProxyType({"p": 50, "P": 500, "w": 500, "W": 1000})
"""46elks writes `p` and `P`; `w` and `W` are those of send-digits elsewhere."""
KEYS: Final = frozenset("0123456789*#ABCD")
KEYS_MAX: Final = 200
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """Frequencies in Hz, sounding together, in bursts: (on, off) in milliseconds, over and over. Off 0: without end."""

    frequencies: tuple[int, ...]
    bursts: tuple[tuple[int, int], ...] = ((1000, 0),)


def _c(frequencies: tuple[int, ...], *bursts: tuple[int, int]) -> Cadence:
    return Cadence(frequencies=frequencies, bursts=bursts or ((1000, 0),))


_TABLE: Final[Mapping[str, Mapping[str, Cadence]]] = {
    "dialtone": {
        DEFAULT: _c((425,)),
        "us": _c((350, 440)),
        "gb": _c((350, 440)),
        "fr": _c((440,)),
        "it": _c((425,), (200, 200), (600, 1000)),
        "au": _c((413, 438)),
        "jp": _c((400,)),
    },
    "ringback": {
        DEFAULT: _c((425,), (1000, 4000)),
        "se": _c((425,), (1000, 5000)),
        "us": _c((440, 480), (2000, 4000)),
        "gb": _c((400, 450), (400, 200), (400, 2000)),
        "fr": _c((440,), (1500, 3500)),
        "es": _c((425,), (1500, 3000)),
        "au": _c((400, 450), (400, 200), (400, 2000)),
        "jp": _c((384, 416), (1000, 2000)),
    },
    "busy": {
        DEFAULT: _c((425,), (500, 500)),
        "se": _c((425,), (250, 250)),
        "us": _c((480, 620), (500, 500)),
        "gb": _c((400,), (375, 375)),
        "de": _c((425,), (480, 480)),
        "fr": _c((440,), (500, 500)),
        "fi": _c((425,), (300, 300)),
        "es": _c((425,), (200, 200)),
        "au": _c((425,), (375, 375)),
        "jp": _c((400,), (500, 500)),
    },
    "congestion": {
        DEFAULT: _c((425,), (250, 250)),
        "se": _c((425,), (250, 750)),
        "us": _c((480, 620), (250, 250)),
        "gb": _c((400,), (400, 350), (225, 525)),
        "de": _c((425,), (240, 240)),
        "fr": _c((440,), (250, 250)),
        "no": _c((425,), (200, 200)),
        "dk": _c((425,), (200, 200)),
        "fi": _c((425,), (200, 200)),
        "es": _c((425,), (200, 200), (200, 200), (200, 600)),
        "it": _c((425,), (200, 200)),
        "pl": _c((425,), (500, 500)),
        "au": _c((425,), (375, 375)),
        "jp": _c((400,), (500, 500)),
    },
}
_OURS: Final[Mapping[str, tuple[tuple[int, int, int], ...]]] = {
    # Falling, since three rising ones (ITU-T E.180, special information tone) make diallers strike a number off.
    "sorry": ((587, 300, 60), (494, 300, 60), (392, 500, 380)),
    # Two short ones, far apart: somebody is here, and nothing rings.
    "comfort": ((523, 80, 120), (659, 80, 2720)),
}
"""Notes of no exchange's: frequency in Hz, how long it sounds and how long nothing does, in milliseconds."""
TONE_NAMES: Final = ("beep", *STEPS_HZ, "music", *_OURS, *_TABLE)
COUNTRIES: Final = frozenset({"se", "us", "gb", "de", "fr", "no", "dk", "fi", "es", "it", "nl", "pl", "au", "jp"})
"""Countries known by their lower-case ISO code; one without a line of its own in a table sounds as the default."""


def tone(name: str) -> Samples:
    """One period of `beep`, `dialtone`, `ringback`, `busy` or `congestion`, optionally of a country (`busy/us`);

    of `music` for those who wait, or the notes of `enter` and `exit`. `sorry` is played where nothing else can be, and
    `comfort` while a web application is waited for. Raises ValueError that names what there is.
    """
    kind, _, country = name.partition("/")
    if country and country not in COUNTRIES:
        raise ValueError(f"no tones of {country!r} are known; there are {', '.join(sorted(COUNTRIES))}")
    if kind == "beep":
        return _burst((BEEP_HZ,), BEEP_MS)
    if kind in STEPS_HZ:
        return np.concatenate([_burst((hertz,), STEP_MS) for hertz in STEPS_HZ[kind]])
    if kind == "music":
        return _music()
    if kind in _OURS:
        return _in_turn([((hz,), on_ms, off_ms) for hz, on_ms, off_ms in _OURS[kind]])
    table = _TABLE.get(kind)
    if table is None:
        raise ValueError(f"{kind!r} is no tone; there are {', '.join(TONE_NAMES)}")
    cadence = table.get(country or DEFAULT, table[DEFAULT])
    return _in_turn([(cadence.frequencies, on_ms, off_ms) for on_ms, off_ms in cadence.bursts])


def digit_tones(keys: str) -> tuple[DigitTone, ...]:
    """What to send for a sequence of keys and pauses (`p` 50 ms, `P` 500 ms, `w` 500 ms, `W` 1000 ms).

    Raises ValueError that names the character.
    """
    if len(keys) > KEYS_MAX:
        raise ValueError(f"{len(keys)} keys are more than {KEYS_MAX}")
    tones = []
    for key in keys:
        if key in PAUSES_MS:
            tones.append(DigitTone(digit="", duration_ms=0, pause_ms=PAUSES_MS[key]))
        elif key.upper() in KEYS:
            tones.append(DigitTone(digit=key.upper(), duration_ms=DIGIT_MS, pause_ms=DIGIT_GAP_MS))
        else:
            raise ValueError(f"{key!r} is no key: write 0-9, *, #, A-D, and p, P, w or W for pauses")
    return tuple(tones)


def _in_turn(bursts: Iterable[tuple[tuple[int, ...], int, int]]) -> Samples:
    """Bursts with their pauses; one without a pause is steady, and has no soft edges."""
    parts = []
    for frequencies, on_ms, off_ms in bursts:
        parts.append(_burst(frequencies, on_ms, ramped=off_ms > 0))
        parts.append(np.zeros(_samples(off_ms), dtype=np.int16))
    return np.concatenate(parts)


def _samples(milliseconds: int) -> int:
    return milliseconds * SAMPLE_RATE_HZ // 1000


def _burst(frequencies: tuple[int, ...], milliseconds: int, *, ramped: bool = True) -> Samples:
    seconds = np.arange(_samples(milliseconds)) / SAMPLE_RATE_HZ
    wave = np.zeros(len(seconds))
    for frequency in frequencies:
        wave += TONE_AMPLITUDE * np.sin(2 * np.pi * frequency * seconds)
    if ramped:
        ramp = np.minimum(1.0, np.arange(len(seconds)) / _samples(RAMP_MS))
        wave *= ramp * ramp[::-1]
    return np.asarray(np.rint(wave), dtype=np.int16)


NOTE_MS, BAR_NOTES, NOTE_FADES_S = 400, 6, 0.55
MUSIC_AMPLITUDE: Final = 2200
"""Of the loudest note; with what still fades of others it stays well below full scale, and speech above it."""
BARS: Final = (
    (0, 7, 12, 15, 12, 7),
    (-4, 3, 8, 12, 8, 3),
    (-9, 3, 7, 12, 7, 3),
    (-2, 5, 10, 14, 10, 5),
)
"""Semitones from A3, a broken chord a bar: A minor, F, C, G. With their octaves all notes stay below the lowest of the
frequencies that a key has as its second (1209 Hz), so that no detector takes music for keys."""
A3_HZ: Final = 220.0


def _music() -> Samples:
    """Soft plucked notes, some ten seconds, without a seam: what fades at the end still sounds at the beginning."""
    note_samples, bars = _samples(NOTE_MS), len(BARS)
    whole = np.zeros(note_samples * BAR_NOTES * bars)
    seconds = np.arange(min(len(whole), _samples(3000))) / SAMPLE_RATE_HZ
    rise = np.minimum(1.0, seconds / 0.012)
    for bar, notes in enumerate(BARS):
        for place, semitone in enumerate(notes):
            hertz = A3_HZ * 2.0 ** (semitone / 12)
            wave = np.sin(2 * np.pi * hertz * seconds) + 0.2 * np.sin(4 * np.pi * hertz * seconds)
            # The first note of a bar carries it.
            loud = 1.0 if place == 0 else 0.7
            wave *= loud * rise * np.exp(-seconds / NOTE_FADES_S)
            at = (bar * BAR_NOTES + place) * note_samples
            np.add.at(whole, (at + np.arange(len(wave))) % len(whole), wave)
    return np.asarray(np.rint(MUSIC_AMPLITUDE * whole), dtype=np.int16)
