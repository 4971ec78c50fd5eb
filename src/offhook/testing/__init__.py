"""The same without the world: scenarios of whole calls, in virtual time. See docs/howto/scenarios.md.

from offhook.testing import check_scenario
check_scenario(Path("tests/voicemail.case"))        raises ScenarioFailed, which says what was different
"""

from offhook.testing.checking import ScenarioFailed, check_scenario
from offhook.testing.reading import BadScenario, read_scenario, read_scenario_file
from offhook.testing.simulation import Stuck, simulate

__all__ = [
    "BadScenario",
    "ScenarioFailed",
    "Stuck",
    "check_scenario",
    "read_scenario",
    "read_scenario_file",
    "simulate",
]
