"""Calls that speak didML, some of whom meet: parties of a conference, callers and the agent of a queue, and prompts.
Drawn from the seed and their number alone, and the documents that make them so.

Each plan ends by itself. A conference ends when its chair leaves; one of three has left before. In a queue the agent
takes who has waited longest; when one of the two hangs up, the other goes on with what follows, which is a sound of a
second and the end. Who else waited then hangs up.
"""

import random
from dataclasses import replace

from tests.chaos.plans import Kind, Plan, Role, Span

__all__ = ["ALL_STAGES", "FOLLOWS_S", "didml_document", "meeting", "waiting_document"]

KINDS = ((Kind.CONFERENCE, 4), (Kind.QUEUE, 4), (Kind.DIDML, 2))
THREE, SECOND, AGENT_FIRST, ORDERED_SHARE = 0.6, 0.3, 0.2, 0.3
APART_S = (0.4, 1.2)
"""From one party's coming to the next one's."""
LEAVES_BEFORE_S = 4
"""How long before its end somebody leaves a conference at the most. Not a share of it: where a server is away for a
minute, a BYE would be given up before it is back (RFC 3261 section 17.1.2, timer F)."""
FOLLOWS_S = 1
"""The sound that who is left of a room hears before its end."""
WAITING_S = 20
"""So much longer than the talk is the sound of a customer's own for those who wait: its end would be a seam."""
ALL_STAGES = ("initiated", "ringing", "answered", "completed")


def meeting(seed: int, index: int, span: Span, share: float, loud_share: float) -> tuple[Plan, ...]:
    """The plans of the calls with this number and the next ones, in the order of their coming; none where the seed has
    no call of this kind. `share`: how often it has."""
    chance = random.Random(f"{seed}/didml/{index}")
    if chance.random() >= share:
        return ()
    kind = chance.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
    lasts_s = round(chance.uniform(span.least_s, span.most_s))
    common = Plan(
        index=index, kind=kind, ordered=False, loud=chance.random() < loud_share, told=False, kept=False,
        lasts_s=lasts_s, by_caller=kind is Kind.QUEUE and chance.random() < 0.5, rings_s=0.0, key="", meeting=index,
    )  # fmt: skip
    match kind:
        case Kind.CONFERENCE:
            roles = [Role.CHAIR, Role.STAYER, *((Role.LEAVER,) if chance.random() < THREE else ())]
            chance.shuffle(roles)
        case Kind.QUEUE if chance.random() < AGENT_FIRST:
            roles = [Role.AGENT, Role.CALLER]
        case Kind.QUEUE:
            roles = [Role.CALLER, *((Role.SECOND,) if chance.random() < SECOND else ()), Role.AGENT]
        case _:
            return (_party(common, Role.ALONE, 0, 0.0, chance),)
    comes_s, made = 0.0, []
    for place, role in enumerate(roles):
        made.append(_party(common, role, place, comes_s, chance))
        apart_s = chance.uniform(*APART_S)
        comes_s = apart_s if kind is Kind.QUEUE else comes_s + apart_s
    return tuple(made)


def _party(common: Plan, role: Role, place: int, comes_s: float, chance: random.Random) -> Plan:
    ordered = chance.random() < ORDERED_SHARE
    sooner_s = chance.randint(1, max(1, min(LEAVES_BEFORE_S, common.lasts_s - 1)))
    return replace(
        common,
        index=common.index + place,
        role=role,
        ordered=ordered,
        # Who is ordered has status events.
        told=not ordered and chance.random() < 0.8,
        lasts_s=common.lasts_s - (sooner_s if role is Role.LEAVER else 0),
        rings_s=chance.choice((0.0, 0.05, chance.uniform(0.0, 0.5))),
        comes_s=comes_s,
        tone=place,
    )


def didml_document(made: Plan, base: str) -> str:
    """What the customer answers when such a call begins."""
    key, room = made.number, f"room{made.meeting}"
    follows = f"<Play>{base}/sound/{FOLLOWS_S}.wav</Play>"
    match made.role:
        case Role.ALONE:
            verbs = f"<Play>{base}/sound/{made.lasts_s}.wav</Play>"
        case Role.CHAIR | Role.LEAVER | Role.STAYER:
            ends = "true" if made.role is Role.CHAIR else "false"
            inside = f'<Conference beep="false" endConferenceOnExit="{ends}">{room}</Conference>'
            verbs = f'<Dial action="{base}/after/{key}">{inside}</Dial>'
        case Role.CALLER | Role.SECOND:
            # Music of ours has the place spoken into it; one sound without a seam is what gaps are looked for in.
            own = f' waitUrl="{base}/wait/{key}"' if made.loud else ""
            verbs = f"<Enqueue{own}>{room}</Enqueue>{follows}"
        case Role.AGENT:
            verbs = f'<Dial timeout="60" action="{base}/after/{key}"><Queue>{room}</Queue></Dial>'
    postcall = f"<Postcall>{base}/bye/{key}</Postcall>" if made.told else ""
    return f"<Response>{postcall}{verbs}</Response>"


def waiting_document(made: Plan, base: str) -> str:
    """What the customer has those hear who wait."""
    # In tens, so that not every call has a sound of its own to be fetched.
    seconds = -(-(made.lasts_s + WAITING_S) // 10) * 10
    return f"<Response><Play>{base}/sound/{seconds}.wav</Play></Response>"
