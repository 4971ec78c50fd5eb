"""`/v1/rooms`: who is in which room, seen by whom it concerns, and the room's log."""

from datetime import UTC, datetime

from tests.support.native_client import Client
from tests.support.rest_cases import MAIN, OTHER
from tests.support.rooms import ANN, CARL, Watched, taking, waiting

from offhook.call.room import RoomKind, RoomName
from offhook.runtime.rooms import RoomEntry, RoomView

AT = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def a_queue(client: Client, account: str = MAIN, name: str = "help") -> None:
    """Ann waits in it, and an agent of another queue talks."""
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.comes(CARL, taking())
    view = RoomView(
        room=RoomName(account=account, kind=RoomKind.QUEUE, name=name), since=0.0, guests=queue.room.view().guests
    )
    entry = RoomEntry(at=AT, kind="queue.taken", data={"call": ANN.call, "leg": 0, "by": CARL.call, "waited_s": 7})
    client.world.board.open_rooms.append((view, (entry,)))


async def test_rooms_are_shown_with_who_is_in_them(client: Client) -> None:
    assert await client.ok("GET", "/v1/rooms") == {"rooms": []}
    a_queue(client)
    (room,) = (await client.ok("GET", "/v1/rooms"))["rooms"]
    assert (room["account"], room["kind"], room["name"]) == (MAIN, "queue", "help")
    assert room["since"] == "1970-01-01T00:00:00.000000Z"
    caller, agent = room["guests"]
    assert (caller["call"], caller["role"], caller["state"]) == (f"c{ANN.call}", "caller", "talking")
    assert (agent["call"], agent["role"], agent["position"]) == (f"c{CARL.call}", "agent", None)


async def test_an_account_sees_its_own(client: Client) -> None:
    a_queue(client, MAIN)
    a_queue(client, OTHER, "sales")
    assert [each["name"] for each in (await client.ok("GET", "/v1/rooms"))["rooms"]] == ["help", "sales"]
    assert [each["name"] for each in (await client.ok("GET", "/v1/rooms", account=OTHER))["rooms"]] == ["sales"]
    named = await client.ok("GET", f"/v1/rooms?account={OTHER}")
    assert [each["name"] for each in named["rooms"]] == ["sales"]
    assert await client.error("GET", "/v1/rooms/queue/help", account=OTHER) == (404, "no_room")


async def test_one_room_has_its_log(client: Client) -> None:
    a_queue(client)
    shown = await client.ok("GET", "/v1/rooms/queue/help")
    assert shown["log"] == [
        {
            "at": "2026-01-01T12:00:00.000000Z",
            "kind": "queue.taken",
            "data": {"call": f"c{ANN.call}", "leg": 0, "by": f"c{CARL.call}", "waited_s": 7},
        }
    ]
    assert await client.error("GET", "/v1/rooms/conference/help") == (404, "no_room")
    a_queue(client, OTHER)
    assert await client.error("GET", "/v1/rooms/queue/help") == (400, "which_account")
    assert (await client.ok("GET", f"/v1/rooms/queue/help?account={OTHER}"))["account"] == OTHER
