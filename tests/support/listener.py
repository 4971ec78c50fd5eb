"""Whether a machine understands what was said: pocketsphinx with its own English model, told which words to expect."""

from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

__all__ = ["understood"]

RATE_HZ = 16_000
"""What its model was trained at; telephone sound has nothing above 4 kHz, and it manages."""
NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
)


def understood(samples: NDArray[np.int16], beginning: str, folder: Path) -> str:
    """The words of a sound at 8000 Hz that begins with these and goes on with numbers; empty if it made out none."""
    from pocketsphinx import Decoder

    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 8000
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    parts = [part.to_ndarray().reshape(-1) for part in (*resampler.resample(frame), *resampler.resample(None))]
    grammar = folder / "numbers.gram"
    words = " | ".join(NUMBERS.split())
    grammar.write_text(f"#JSGF V1.0;\ngrammar n;\npublic <said> = {beginning} <number>+;\n<number> = {words};\n")
    decoder = Decoder(jsgf=str(grammar), samprate=RATE_HZ, loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(np.concatenate(parts).astype("<i2").tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return "" if found is None else str(found.hypstr)
