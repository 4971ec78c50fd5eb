"""Plays a scenario file and compares what happened with what was expected."""

from pathlib import Path

from offhook.testing.reading import read_scenario_file
from offhook.testing.simulation import simulate
from offhook.testing.trace import difference

__all__ = ["ScenarioFailed", "check_scenario"]


class ScenarioFailed(AssertionError):
    """Something else happened than was expected; the text says what, and shows all that happened."""


def check_scenario(path: Path, *, restarts: bool = False) -> None:
    """Play the scenario in a file.

    Raises `ScenarioFailed` when something else happens, `BadScenario` when the file cannot be understood, `Stuck` when
    the call never ends. With `restarts` the call is exported and restored after every event.
    """
    scenario = read_scenario_file(path)
    wrong = difference(scenario, simulate(scenario, restarts=restarts))
    if wrong is not None:
        raise ScenarioFailed(f"{path}: {scenario.title}\n{wrong}")
