"""A program of its own that speaks with piper: `python piper_worker.py MODEL`. Protocol: `espeak_worker.py`.

piper is under the GPL and a heavy guest besides (its runtime takes a hundred megabytes), so it is loaded here and never
into the server. This file imports nothing of ours. It ends when its input does, and by an alarm when a text takes too
long.
"""

import json
import signal
import struct
import sys

ALARM_S = 60
REQUEST_MAX_BYTES = 256 * 1024


def _answer(kind: bytes, content: bytes = b"") -> None:
    sys.stdout.buffer.write(struct.pack("<I", len(content) + 1) + kind + content)
    sys.stdout.buffer.flush()


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__


def main(model: str) -> int:
    """Serve until the input ends. What cannot be loaded is said to every request."""
    voice, failed = None, ""
    try:
        from piper import PiperVoice

        voice = PiperVoice.load(model)
    except ImportError as error:
        failed = f"piper is not installed ({_why(error)}); install it with: pip install 'offhook[piper]'"
    except Exception as error:
        failed = f"the piper model {model} cannot be loaded ({_why(error)})"
    stream = sys.stdin.buffer
    while len(head := stream.read(4)) == 4:
        size = struct.unpack("<I", head)[0]
        if size > REQUEST_MAX_BYTES or len(content := stream.read(size)) < size:
            break
        if voice is None:
            _answer(b"f", failed.encode())
            continue
        signal.alarm(ALARM_S)
        try:
            for chunk in voice.synthesize(json.loads(content)["text"]):
                _answer(b"r", struct.pack("<I", chunk.sample_rate))
                _answer(b"s", chunk.audio_int16_bytes)
            _answer(b"e")
        except Exception as error:
            _answer(b"f", f"piper could not speak it ({_why(error)})".encode())
        signal.alarm(0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
