"""A program of its own that speaks with espeak-ng: `python -I -S espeak_worker.py LIBRARY DATA`.

espeak-ng is under the GPL, so it is loaded here and never into the server; this file imports nothing of ours and is
spoken to over its standard input and output only. The protocol, numbers little-endian, is that of `worker.py`:

    request   u32 size, JSON: {"text": …, "language": "sv", "variant": "f5"}, or {"list": true}
    answer    frames of u32 size (kind included), one byte of kind, content:
              `r` u32 samples a second · `s` 16-bit samples · `v` JSON list of languages · `e` end · `f` why not

It ends when its input does, and by an alarm when the library does not come back. It opens no file but the library's.
"""

import ctypes
import json
import os
import signal
import struct
import sys

ALARM_S = 30
"""Longer than anybody waits for one text; whoever asked has killed this process by then, if it is still alive."""
WORDS_A_MINUTE = 160
"""A little slower than the library's 175, for ears that have only 3.4 kHz."""
REQUEST_MAX_BYTES = 256 * 1024
SYNCHRONOUS, CHARS_UTF8, POSITION_CHARACTER = 2, 1, 1
PARAMETER_RATE = 1
DONT_EXIT = 0x8000


class _VoiceRecord(ctypes.Structure):
    """`espeak_VOICE` of speak_lib.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.POINTER(ctypes.c_char)),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def _answer(kind: bytes, content: bytes = b"") -> None:
    sys.stdout.buffer.write(struct.pack("<I", len(content) + 1) + kind + content)
    sys.stdout.buffer.flush()


class _Library:
    """The library, initialised."""

    def __init__(self, path: str, data: str) -> None:
        self._lib = lib = ctypes.CDLL(path)
        self._data = data
        lib.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceRecord))
        lib.espeak_ListVoices.argtypes = [ctypes.c_void_p]
        lib.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self.rate_hz = lib.espeak_Initialize(SYNCHRONOUS, 0, os.fsencode(data), DONT_EXIT)
        self._callback = _Callback(self._sound)
        self.languages: dict[str, str] = {}
        """Voices by language."""
        if self.rate_hz > 0:
            self.languages = self._listed()
            lib.espeak_SetSynthCallback(self._callback)
            lib.espeak_SetParameter(PARAMETER_RATE, WORDS_A_MINUTE, 0)

    @staticmethod
    def _sound(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            _answer(b"s", ctypes.string_at(samples, 2 * count))
        return 0

    def _listed(self) -> dict[str, str]:
        """The voice of every language; of several, the one that holds it dearest (the lower number)."""
        found: dict[str, tuple[int, str]] = {}
        listed, at = self._lib.espeak_ListVoices(None), 0
        while listed[at]:
            record = listed[at].contents
            raw, place = record.languages, 0
            # Each is a byte of priority, then a name that ends with a zero; another zero ends the list.
            while raw[place] != b"\0":
                priority, name = raw[place][0], bytearray()
                place += 1
                while raw[place] != b"\0":
                    name += raw[place]
                    place += 1
                place += 1
                language = name.decode("ascii").lower()
                found[language] = min(found.get(language, (999, "")), (priority, os.fsdecode(record.identifier)))
            at += 1
        return {language: identifier for language, (_, identifier) in sorted(found.items())}

    def speak(self, text: str, language: str, variant: str) -> str | None:
        """Speaks it by `_sound`; the answer is why not, or `None`."""
        identifier = self.languages.get(language)
        if identifier is None:
            return f"espeak-ng does not speak {language}"
        # The library takes an unknown variant for none.
        known = "/" not in variant and os.path.isfile(os.path.join(self._data, "voices", "!v", variant))
        if not known or self._lib.espeak_SetVoiceByName(f"{identifier}+{variant}".encode()) != 0:
            return f"espeak-ng has no voice {variant}"
        content = text.replace("\0", " ").encode() + b"\0"
        if self._lib.espeak_Synth(content, len(content), 0, POSITION_CHARACTER, 0, CHARS_UTF8, None, None) != 0:
            return "espeak-ng did not take the text"
        self._lib.espeak_Synchronize()
        return None


def _requests():  # type: ignore[no-untyped-def]
    """What comes in, until nothing does."""
    stream = sys.stdin.buffer
    while len(head := stream.read(4)) == 4:
        size = struct.unpack("<I", head)[0]
        if size > REQUEST_MAX_BYTES or len(content := stream.read(size)) < size:
            return
        yield json.loads(content)


def main(library: str, data: str) -> int:
    """Serve until the input ends."""
    spoken = _Library(library, data)
    for request in _requests():  # type: ignore[no-untyped-call]
        signal.alarm(ALARM_S)
        if spoken.rate_hz <= 0:
            _answer(b"f", f"espeak-ng does not find its data in {data}".encode())
        elif request.get("list"):
            _answer(b"v", json.dumps(list(spoken.languages)).encode())
            _answer(b"e")
        else:
            _answer(b"r", struct.pack("<I", spoken.rate_hz))
            failed = spoken.speak(request["text"], request["language"], request["variant"])
            _answer(b"e") if failed is None else _answer(b"f", failed.encode())
        signal.alarm(0)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
