"""The directory: what was changed is seen at once, and is there after a restart."""

from dataclasses import replace
from pathlib import Path

import pytest

from offhook.storage.directory import AlreadyThere
from offhook.storage.records import charges_page, transactions_page
from offhook.storage.store import Storage


def reopened(storage: Storage) -> Storage:
    storage.close()
    return Storage.open(storage.data_dir)


def test_credentials(storage: Storage) -> None:
    directory = storage.directory
    made = directory.add_account("Ann")
    assert directory.authenticate(made.row.id, made.secret) == made.row
    assert directory.authenticate(made.row.id, made.api_key) is None
    assert directory.authenticate("u" + "0" * 32, made.secret) is None
    assert directory.account_of_api_key(made.api_key) == made.row
    assert directory.account_of_api_key(made.secret) is None
    directory.change_account(made.row.id, active=False)
    assert directory.authenticate(made.row.id, made.secret) is None
    assert directory.account_of_api_key(made.api_key) is None


def test_given_credentials(storage: Storage) -> None:
    made = storage.directory.add_account("Boot", account_id="u" + "1" * 32, secret="s" * 20, api_key="s" * 20)
    assert (made.row.id, made.secret, made.api_key) == ("u" + "1" * 32, "s" * 20, "s" * 20)
    with pytest.raises(AlreadyThere, match="account u1111"):
        storage.directory.add_account("Again", account_id=made.row.id)


def test_subaccounts(storage: Storage) -> None:
    directory = storage.directory
    parent = directory.add_account("Ann").row
    first = directory.add_subaccount(parent.id, "one")
    second = directory.add_subaccount(parent.id, "two", secret="chosen by a person", usage_limit=500)
    assert directory.subaccounts(parent.id) == [second, first]
    assert directory.accounts() == [parent]
    assert directory.secret_of(second) == "chosen by a person"
    assert directory.authenticate(second.id, "chosen by a person") == second
    changed = directory.change_account(second.id, secret="another secret!!")
    assert directory.authenticate(second.id, "chosen by a person") is None
    assert directory.secret_of(changed) == "another secret!!"
    directory.change_account(parent.id, active=False)
    assert directory.authenticate(second.id, "another secret!!") is None


def test_money(storage: Storage) -> None:
    directory = storage.directory
    parent = directory.add_account("Ann").row.id
    child = directory.add_subaccount(parent, "one", usage_limit=300).id
    assert directory.credit_left(parent) is None
    assert directory.credit_left(child) == 300
    directory.set_balance(parent, 1000)
    directory.charge(parent, 850, "/Calls/c1")
    assert directory.credit_left(parent) == 150
    assert directory.credit_left(child) == 150
    directory.charge(child, 200, "/Calls/c2")
    assert directory.credit_left(parent) == -50
    row = directory.account(child)
    assert row is not None
    assert (row.balance, row.balance_used) == (0, 200)
    directory.set_balance(parent, None)
    assert directory.credit_left(parent) is None
    assert directory.credit_left(child) == 100
    storage.writer.flush_blocking()
    charges = storage.read_blocking(lambda connection: charges_page(connection, parent)).rows
    assert [(row.reference, row.cost, row.subaccount) for row in charges] == [
        ("/Calls/c2", 200, child),
        ("/Calls/c1", 850, None),
    ]
    assert len(storage.read_blocking(lambda connection: charges_page(connection, parent, subaccount=child)).rows) == 1
    (put_in,) = storage.read_blocking(lambda connection: transactions_page(connection, parent)).rows
    assert put_in.amount == 1000


def test_caller_ids(storage: Storage) -> None:
    directory = storage.directory
    account = directory.add_account("Ann").row.id
    other = directory.add_account("Ben").row.id
    directory.add_caller_id(account, "+46701")
    assert directory.add_caller_id(account, "+46701") == directory.caller_ids(account)[0]
    directory.add_number("+46101", account=account)
    assert directory.may_show(account, "+46701")
    assert directory.may_show(account, "+46101")
    assert not directory.may_show(other, "+46701")
    assert not directory.may_show(other, "+46101")
    assert directory.remove_caller_id(account, "+46701")
    assert not directory.remove_caller_id(account, "+46701")
    assert not directory.may_show(account, "+46701")


def test_trunks(storage: Storage) -> None:
    directory = storage.directory
    a = directory.add_trunk("a", "sip:a.example", prefixes=["+46", "+45"], password="pw", username="me")
    b = directory.add_trunk("b", "sip:b.example", prefixes=["+4670", "+46"], from_addresses=["192.0.2.0/24", "::1"])
    none = directory.add_trunk("none", "sip:c.example")
    assert directory.trunks() == [a, b, none]
    assert directory.trunks_to("+46101") == [a, b]
    assert directory.trunks_to("+46701") == [b]
    assert directory.trunks_to("+1") == []
    assert directory.trunks_from("192.0.2.9") == [b]
    assert directory.trunks_from("::1") == [b]
    assert directory.trunks_from("198.51.100.1") == []
    assert directory.trunk("a") == directory.trunk(a.id) == a
    assert directory.trunk_password(a) == "pw"
    assert directory.trunk_password(b) == ""
    with pytest.raises(AlreadyThere, match="trunk a"):
        directory.add_trunk("a", "sip:x")
    directory.remove_trunk(b.id)
    assert directory.trunks_to("+46701") == [a]
    assert directory.trunk("b") is None


def test_numbers_are_allocated_and_come_back_free(storage: Storage) -> None:
    directory = storage.directory
    account = directory.add_account("Ann").row.id
    free = directory.add_number("+46101", country="se", category="fixed", capabilities=("voice", "sms"), pooled=True)
    directory.add_number("+45101", country="dk", pooled=True)
    directory.add_number("+46102", country="se", account=account)
    with pytest.raises(AlreadyThere, match=r"number \+46101"):
        directory.add_number("+46101")
    assert directory.free_number(country="se") == free
    assert directory.free_number(country="se", capabilities=["mms"]) is None
    assert directory.free_number(country="se", category="mobile") is None
    assert directory.free_number(country="se", number="+46102") is None
    assert directory.free_number(number="+45101", capabilities=["voice"]) is not None
    taken = directory.allocate(free.id, account, voice_start="https://app.example")
    assert directory.free_number(country="se") is None
    assert directory.number("+46101") == taken == directory.number_by_id(free.id)
    gone = directory.deallocate(free.id)
    assert not gone.active
    again = directory.number("+46101")
    assert again is not None
    assert again.id != free.id
    assert (again.account, again.voice_start) == (None, "")
    assert [row.number for row in directory.numbers_of(account)] == ["+46101", "+46102"]
    directory.deallocate(directory.numbers_of(account)[1].id)
    assert directory.number("+46102") is None


def test_phones(storage: Storage) -> None:
    directory = storage.directory
    account = directory.add_account("Ann").row.id
    made = directory.add_phone(account)
    assert made.row.number.startswith("+4600")
    assert directory.phone(made.row.number.removeprefix("+")) == directory.phone(made.row.number) == made.row
    assert directory.phone_secret(made.row) == made.secret == directory.secret_of(made.row)
    directory.add_number("+46101", account=account)
    assert directory.phone("46101") is None
    assert directory.phone_secret(replace(made.row, sealed_secret=None)) is None
    with pytest.raises(AlreadyThere):
        directory.add_phone(account, made.row.number)
    changed = directory.change_number(made.row.id, name="desk")
    assert directory.number(made.row.number) == changed
    directory.deallocate(made.row.id)
    assert directory.phone(made.row.number) is None
    assert directory.number(made.row.number) is None


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "d")
    directory = storage.directory
    made = directory.add_account("Ann")
    child = directory.add_subaccount(made.row.id, "one")
    trunk = directory.add_trunk("a", "sip:a.example", prefixes=["+46"], from_addresses=["192.0.2.0/24"], register=True)
    number = directory.add_number("+46101", account=made.row.id, trunk=trunk.id, voice_start='{"play":"x"}')
    phone = directory.add_phone(made.row.id)
    directory.add_caller_id(made.row.id, "+46702")
    directory.charge(made.row.id, 5, "/Calls/c")
    again = reopened(storage)
    assert again.directory.authenticate(made.row.id, made.secret) == replace(made.row, balance=-5)
    assert again.directory.account_of_api_key(made.api_key) is not None
    assert again.directory.subaccounts(made.row.id) == [child]
    assert again.directory.trunks_to("+46") == [trunk]
    assert again.directory.number("+46101") == number
    assert again.directory.phone_secret(phone.row) == phone.secret
    assert again.directory.may_show(made.row.id, "+46702")
    assert [row.id for row in again.directory.numbers()] == [number.id, phone.row.id]
    again.close()


def test_a_policy_for_what_is_owed_is_the_accounts_own_or_its_parents(storage: Storage) -> None:
    directory = storage.directory
    account = directory.add_account("Ann").row.id
    sub = directory.add_subaccount(account, "Sub").id
    assert directory.delivery_of(account) is None
    assert directory.delivery_of("nobody") is None
    growing, listed = {"kind": "growing"}, {"kind": "listed", "pauses_s": [1]}
    directory.change_account(account, delivery=growing)
    assert (directory.delivery_of(account), directory.delivery_of(sub)) == (growing, growing)
    directory.change_account(sub, delivery=listed)
    assert (directory.delivery_of(account), directory.delivery_of(sub)) == (growing, listed)
    directory.change_account(sub, delivery=None)
    assert directory.delivery_of(sub) == growing


def test_time_outs_are_tried_again_for_an_account_that_asks_and_those_below_it(storage: Storage) -> None:
    directory = storage.directory
    account = directory.add_account("Ann").row.id
    sub = directory.add_subaccount(account, "Sub").id
    assert not any(directory.retries_timeouts(one) for one in (account, sub, "nobody"))
    directory.change_account(sub, retry_timeouts=True)
    assert (directory.retries_timeouts(account), directory.retries_timeouts(sub)) == (False, True)
    directory.change_account(sub, retry_timeouts=False)
    directory.change_account(account, retry_timeouts=True)
    assert (directory.retries_timeouts(account), directory.retries_timeouts(sub)) == (True, True)
