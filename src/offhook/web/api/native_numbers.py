"""`/v1/trunks`, `/v1/numbers`, `/v1/phones`: carriers, numbers of ours and what answers them, phones that register."""

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from offhook.flow.dialects.choose import DIALECTS, read_start
from offhook.flow.errors import DocumentError
from offhook.storage.directory import PHONE_PREFIX, AlreadyThere
from offhook.storage.prices import AMOUNT_MOST
from offhook.storage.rows import NumberRow, TrunkRow
from offhook.web.api.native_request import Admin, Asking, Body, Caller, Line, NativeError, e164, moment

__all__ = ["FallbackBody", "check_start", "router"]

SIP_ADDRESS = re.compile(
    r"sip:(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[0-9]{1,5})?(?:;transport=(?:udp|tcp|tls))?", re.I
)

router = APIRouter(prefix="/v1", tags=["numbers"])


class TrunkBody(Body):
    """A carrier to be added."""

    name: Annotated[Line, Field(min_length=1, max_length=100)]
    address: Annotated[str, Field(description="sip:HOST[:PORT][;transport=udp|tcp|tls]")]
    username: Line = ""
    password: Line = ""
    register_with: Annotated[bool, Field(alias="register", description="Whether we register there.")] = False
    prefixes: Annotated[tuple[str, ...], Field(description="Which numbers may be dialled through it; none: none.")] = ()
    from_addresses: Annotated[tuple[str, ...], Field(description="Addresses and networks its calls come from.")] = ()


class NumberBody(Body):
    """A number to be added."""

    number: str
    trunk: str
    account: Annotated[str | None, Field(description="Id or name; without it the only account.")] = None
    free: Annotated[bool, Field(description="Nobody's yet: to be allocated by API.")] = False
    voice_start: str = ""
    dialect: str = "elks"
    method: Literal["GET", "POST"] = "POST"
    fallback: Annotated[str, Field(description="A URL or a document, for when the web application fails.")] = ""
    capabilities: tuple[Line, ...] = ("voice",)
    category: Annotated[Literal["fixed", "mobile"] | None, Field(description="Without it, found out.")] = None
    country: Annotated[str | None, Field(pattern="^[a-z]{2}$", description="Without it, found out.")] = None
    cost: Annotated[int, Field(ge=0, le=AMOUNT_MOST, description="A month, in 1/10000 of the currency.")] = 0


class FallbackBody(Body):
    """What calls go on with where a web application fails."""

    fallback: Annotated[str, Field(description="A URL or a document; empty: none.")]


class PhoneBody(Body):
    """A phone's number to be made."""

    number: Annotated[str | None, Field(description="+4600…; without it, made up.")] = None
    account: str | None = None
    voice_start: str = ""
    name: Line = ""


# ── trunks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def trunk_json(row: TrunkRow) -> dict[str, Any]:
    """A carrier, without its password."""
    return {
        "id": row.id,
        "name": row.name,
        "address": row.address,
        "username": row.username,
        "register": row.register,
        "prefixes": list(row.prefixes),
        "from_addresses": list(row.from_addresses),
        "created": moment(row.created),
    }


@router.get("/trunks")
async def list_trunks(caller: Admin) -> dict[str, Any]:
    """All carriers, oldest first."""
    return {"trunks": [trunk_json(row) for row in caller.native.storage.directory.trunks()]}


@router.post("/trunks")
async def add_trunk(caller: Admin, body: TrunkBody) -> dict[str, Any]:
    """Adds a carrier; registration begins at once where it is wanted."""
    if not SIP_ADDRESS.fullmatch(body.address):
        raise NativeError(
            400, "invalid_address", f"{body.address!r} is no address; write sip:HOST, sip:HOST:PORT or …;transport=tcp"
        )
    if body.register_with and not body.username:
        raise NativeError(400, "no_username", "to register, --username and --password are needed")
    for prefix in body.prefixes:
        if not re.fullmatch(r"\+[0-9]{0,14}", prefix):
            raise NativeError(400, "invalid_prefix", f"{prefix!r} is no prefix; write + and digits, +46, or + for all")
    try:
        networks = [str(ip_network(address, strict=False)) for address in body.from_addresses]
    except ValueError as error:
        raise NativeError(400, "invalid_network", f"{error}; write addresses or networks, 192.0.2.0/24") from None
    storage = caller.native.storage
    try:
        row = storage.directory.add_trunk(
            body.name,
            body.address,
            username=body.username,
            password=body.password,
            register=body.register_with,
            prefixes=body.prefixes,
            from_addresses=networks,
        )
    except AlreadyThere:
        raise NativeError(
            409, "trunk_exists", f"there is a trunk {body.name} already; remove it or choose another name"
        ) from None
    await _changed(caller)
    return trunk_json(row)


@router.delete("/trunks/{name}")
async def remove_trunk(caller: Admin, name: str) -> dict[str, Any]:
    """Forgets a carrier; its numbers stay, and are not called any more."""
    row = _trunk(caller, name)
    caller.native.storage.directory.remove_trunk(row.id)
    await _changed(caller)
    return {**trunk_json(row), "removed": True}


def _trunk(caller: Caller, name: str) -> TrunkRow:
    row = caller.native.storage.directory.trunk(name)
    if row is None:
        raise NativeError(404, "no_trunk", f"there is no trunk {name}; offhook trunk list shows them")
    return row


async def _changed(caller: Caller) -> None:
    await caller.stored()
    caller.native.server.directory_changed()


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def number_json(row: NumberRow, secret: str | None = None) -> dict[str, Any]:
    """A number; of a phone, with its secret where that is asked for."""
    described: dict[str, Any] = {
        "id": row.id,
        "number": row.number,
        "kind": row.kind,
        "trunk": row.trunk,
        "account": row.account,
        "country": row.country,
        "category": row.category,
        "capabilities": list(row.capabilities),
        "name": row.name,
        "voice_start": row.voice_start,
        "dialect": row.dialect,
        "method": row.method,
        "fallback": row.fallback,
        "free": row.account is None,
        "created": moment(row.created),
    }
    return described if secret is None else {**described, "secret": secret}


@router.get("/numbers")
async def list_numbers(caller: Asking, account: str | None = None) -> dict[str, Any]:
    """Numbers in use and free ones, oldest first; of an account, its own."""
    owner = caller.owners(account)
    rows = [row for row in caller.native.storage.directory.numbers() if owner in (None, row.account)]
    return {"numbers": [number_json(row) for row in rows]}


@router.post("/numbers")
async def add_number(caller: Admin, body: NumberBody) -> dict[str, Any]:
    """Adds a number of a trunk, for an account or free."""
    directory = caller.native.storage.directory
    number = e164(body.number, "the number")
    if number.startswith(PHONE_PREFIX):
        raise NativeError(400, "phone_number", f"{number} is a phone's; add it with: offhook phone add {number}")
    check_start(body.voice_start, body.dialect)
    check_start(body.fallback, body.dialect, "fallback")
    country, category = _about(number)
    owner = None if body.free else caller.which(body.account).id
    try:
        row = directory.add_number(
            number,
            trunk=_trunk(caller, body.trunk).id,
            account=owner,
            pooled=body.free,
            country=body.country or country,
            category=body.category or category,
            capabilities=tuple(body.capabilities),
            voice_start=body.voice_start,
            dialect=body.dialect,
            method=body.method,
            fallback=body.fallback,
            cost=body.cost,
        )
    except AlreadyThere:
        raise NativeError(409, "number_exists", f"{number} is there already; offhook number list shows it") from None
    await _changed(caller)
    return number_json(row)


@router.delete("/numbers/{number}")
async def remove_number(caller: Admin, number: str) -> dict[str, Any]:
    """Takes a number away for ever; it stays in its account's history."""
    directory = caller.native.storage.directory
    row = directory.number(e164(number, "the number"))
    if row is None:
        raise NativeError(404, "no_number", f"there is no number {number}; offhook number list shows them")
    row = directory.deallocate(directory.change_number(row.id, pooled=False).id)
    await _changed(caller)
    return {**number_json(row), "removed": True}


@router.put("/numbers/{number}/fallback")
async def set_number_fallback(caller: Asking, number: str, body: FallbackBody) -> dict[str, Any]:
    """Sets what the number's calls go on with where the web application fails; goes before the account's."""
    directory = caller.native.storage.directory
    row = directory.number(e164(number, "the number"))
    if row is None or not caller.sees(row.account):
        raise NativeError(404, "no_number", f"there is no number {number}; offhook number list shows them")
    check_start(body.fallback, row.dialect, "fallback")
    row = directory.change_number(row.id, fallback=body.fallback.strip())
    await caller.stored()
    return number_json(row)


def check_start(text: str, dialect: str, key: str = "voice_start") -> None:
    """Whether a setting can be begun with. Raises `NativeError` with what is wrong in it."""
    if dialect not in DIALECTS:
        raise NativeError(400, "no_dialect", f"there is no dialect {dialect}; there are: {', '.join(DIALECTS)}")
    if text.strip():
        try:
            read_start(text, DIALECTS[dialect], key=key)
        except DocumentError as error:
            raise NativeError(400, error.name, str(error)) from None


def _about(number: str) -> tuple[str, str]:
    """Country and category, as the numbering plan has them."""
    import phonenumbers  # its tables are large, and only this needs them

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return "", "fixed"
    mobile = phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.MOBILE
    return (phonenumbers.region_code_for_number(parsed) or "").lower(), "mobile" if mobile else "fixed"


# ── phones ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@router.post("/phones")
async def add_phone(caller: Asking, body: PhoneBody) -> dict[str, Any]:
    """Makes a number that a SIP phone registers as; answers user name, password and domain to put into it."""
    number = None if body.number is None else e164(body.number, "the phone's number")
    if number is not None and not number.startswith(PHONE_PREFIX):
        raise NativeError(400, "invalid_number", f"{number} is no phone's number; those begin with {PHONE_PREFIX}")
    check_start(body.voice_start, "elks")
    directory = caller.native.storage.directory
    try:
        made = directory.add_phone(
            caller.which(body.account).id, number, country="se", voice_start=body.voice_start, name=body.name
        )
    except AlreadyThere:
        raise NativeError(409, "number_exists", f"{number} is there already; offhook number list shows it") from None
    await _changed(caller)
    return _phone_json(caller, made.row, made.secret)


@router.get("/phones/{number}")
async def show_phone(caller: Asking, number: str) -> dict[str, Any]:
    """A phone with what it registers with, its secret too: whoever may see it may set it up again."""
    directory = caller.native.storage.directory
    row = directory.phone(number)
    if row is None or not caller.sees(row.account):
        raise NativeError(404, "no_phone", f"there is no phone {number}; make it with: offhook phone add {number}")
    return _phone_json(caller, row, directory.phone_secret(row))


def _phone_json(caller: Caller, row: NumberRow, secret: str | None) -> dict[str, Any]:
    settings = caller.native.settings
    # A server that listens everywhere has found out which address it shows; the settings alone do not know it.
    running = caller.native.server.status().get("domain")
    return {
        **number_json(row, secret),
        "username": row.number.removeprefix("+"),
        "domain": running or settings.sip_domain or settings.public_address or settings.sip_listen[0].host,
    }
