"""What espeak-ng would say, as phonemes (the International Phonetic Alphabet), by the library itself in a process of
its own. It shares no code with the product's worker."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

__all__ = ["phonemes"]

PROGRAM = """
import ctypes, json, os, sys
library, data = sys.argv[1:]
lib = ctypes.CDLL(library)
assert lib.espeak_Initialize(2, 0, os.fsencode(data), 0x8000) > 0
lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
lib.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_int, ctypes.c_int]
said = []
for language, text in json.load(sys.stdin):
    assert lib.espeak_SetVoiceByName({"en-gb": "en"}.get(language, language).encode()) == 0, language
    content = ctypes.create_string_buffer(text.encode())
    place, clauses = ctypes.c_void_p(ctypes.addressof(content)), []
    while place.value:
        clauses.append(lib.espeak_TextToPhonemes(ctypes.byref(place), 1, 2).decode())
    said.append(" ".join(" ".join(clauses).split()))
json.dump(said, sys.stdout)
"""


def phonemes(texts: list[tuple[str, str]]) -> list[str]:
    """For each language and text, its phonemes, words apart, the pauses between clauses left out."""
    found = importlib.util.find_spec("espeakng_loader")
    assert found is not None, "espeakng-loader is a dependency of Offhook"
    assert found.origin is not None
    folder = Path(found.origin).parent
    library = next(path for path in folder.glob("libespeak-ng*") if path.suffix in (".so", ".dylib"))
    said = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(library), str(folder / "espeak-ng-data")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    result: list[str] = json.loads(said.stdout)
    return result
