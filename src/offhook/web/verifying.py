"""The call by which a number is shown to be somebody's: it says a code, digit by digit and twice.

The code is in no log and no timeline: who can tell it has heard it. Who makes the code, and asks for it, is not said
here.
"""

from types import MappingProxyType

from offhook.call.masking import BLANK
from offhook.flow.dialects.dialect import Reading
from offhook.flow.program import Flow, Step
from offhook.flow.verbs import Play, Speech

__all__ = ["LANGUAGES", "code_text", "says_code"]

ENGLISH = "en"
GROUP = 3
"""Digits between two short pauses."""
LANGUAGES = MappingProxyType(
    {
        ENGLISH: "The code to verify this telephone number is: {code}. I repeat: {code}. Goodbye.",
        "sv": "Koden som bekräftar det här telefonnumret är: {code}. Jag upprepar: {code}. Hej då.",
        "de": "Der Code zur Bestätigung dieser Telefonnummer lautet: {code}. Ich wiederhole: {code}. Auf Wiederhören.",
        "es": "El código para verificar este número de teléfono es: {code}. Repito: {code}. Adiós.",
    }
)


def code_text(code: str, language: str) -> Speech:
    """What is said, in that language (`sv`, `sv_SE`, `sv-SE`), or in English."""
    short = language.replace("_", "-").partition("-")[0].lower()
    known = short if short in LANGUAGES else ENGLISH
    # Digits with blanks between them are read one by one; a comma is a pause.
    groups = ", ".join(" ".join(code[at : at + GROUP]) for at in range(0, len(code), GROUP))
    return Speech(text=LANGUAGES[known].format(code=groups), language=known, secret=True)


def says_code(code: str, language: str) -> Reading:
    """The call's flow; its log shows that something was played to the end, and not what."""
    play = Play(sounds=(code_text(code, language),), skippable=False)
    return Reading(flow=Flow(steps=(Step(verb=play, wording=MappingProxyType({"play": BLANK})),)))
