"""Runs `offhook` under cProfile between two signals, so that starting is not in the picture.

`python -m benchmarks.profiled FILE ARGUMENT…`: SIGUSR1 begins, SIGUSR2 ends and writes FILE. Time is the thread's
own, since the wall's would count the media engine's turns on the same core."""

import cProfile
import runpy
import signal
import sys
import time


def main() -> None:
    file = sys.argv[1]
    watched = cProfile.Profile(time.thread_time)
    signal.signal(signal.SIGUSR1, lambda *_: watched.enable())
    signal.signal(signal.SIGUSR2, lambda *_: watched.dump_stats(file))
    sys.argv = ["offhook", *sys.argv[2:]]
    runpy.run_module("offhook", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
