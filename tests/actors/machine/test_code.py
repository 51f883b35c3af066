"""What a state keeps of its machine's code."""

from collections.abc import Iterator
from itertools import product

import msgspec

from actors.machine.code import (
    Code,
    CodePart,
    CodeStatus,
    Saying,
    Says,
    barred,
    blurred,
    differing,
    fulfilled,
    replaced,
    says_of,
    tells_us,
    trouble,
)
from actors.machine.code_calls import next_call, rests, under_way
from actors.machine.values import replace

STATUSES = (CodeStatus.ACTIVE, CodeStatus.STOPPED)


def test_the_status_stands_first_in_the_text() -> None:
    """Lists look for it there, whatever else is known of the code."""
    for status in CodeStatus:
        text = msgspec.json.encode(Code(status=status)).decode()
        assert text.startswith(f'{{"status":"{status}"')


OLD = Says(notify="old", name="Lobby", address="1 Queen's Road")
NEW = Says(notify="new", name="Lobby", address="1 Queen's Road")


def test_what_is_not_confirmed_costs_a_state_nothing() -> None:
    """A state is written with every sale."""
    assert b"{}" == msgspec.json.encode(Saying())


def test_after_an_unknown_call_only_what_stays_as_it_is_is_known() -> None:
    """The other parts are one thing or the other."""
    assert Says(name="Lobby", address="1 Queen's Road") == blurred(OLD, NEW)
    assert OLD == blurred(OLD, OLD)
    assert blurred(None, NEW) is None


def test_a_code_tells_us_unless_alipay_has_something_else_or_nobody_knows() -> None:
    """One that nobody ever asked about is believed to."""
    for confirmed, found in ((None, True), (NEW, True), (OLD, False), (Says(), False)):
        code = Code(qr_payload="q", saying=Saying(wanted=NEW, confirmed=confirmed))
        assert found is tells_us(code)
        refused = msgspec.structs.replace(code.saying, refused=NEW)
        assert found is not barred(Code(qr_payload="q", saying=refused))
        assert not barred(code)
    assert tells_us(Code())


def test_a_code_is_replaced_when_the_store_is_another() -> None:
    """Without a code there is nothing to replace."""
    saying = Saying(wanted=Says(store="2"))
    assert replaced(Code(qr_payload="q", saying=saying))
    assert not replaced(Code(saying=saying))
    assert not replaced(Code(qr_payload="q", saying=Saying(wanted=Says(store="2"), store="2")))
    assert not replaced(Code(qr_payload="q"))


def test_in_what_a_code_differs() -> None:
    """What one says that nobody shall pay does not matter; another store does."""
    active = Code(status=CodeStatus.ACTIVE, qr_payload="q")
    assert () == differing(active)
    assert (CodePart.STATUS,) == differing(Code())
    moved = msgspec.structs.replace(active, saying=Saying(wanted=NEW, confirmed=OLD))
    assert (CodePart.NOTIFY_URL,) == differing(moved)
    unknown = msgspec.structs.replace(active, saying=Saying(wanted=NEW))
    assert (CodePart.NOTIFY_URL, CodePart.STORE_NAME, CodePart.ADDRESS) == differing(unknown)
    other = Saying(wanted=Says(store="2"), confirmed=Says())
    stopped = Code(status=CodeStatus.STOPPED, wanted=CodeStatus.STOPPED, qr_payload="q")
    assert () == differing(msgspec.structs.replace(stopped, saying=moved.saying))
    assert (CodePart.STORE,) == differing(msgspec.structs.replace(stopped, saying=other))


def test_what_about_a_code_waits_for_a_person() -> None:
    """What Alipay refused, and whether the code is stopped for that."""
    assert "" == trouble(Code())
    refused = Code(status=CodeStatus.REFUSED, error="HAS_NO_PRIVILEGE")
    assert "Alipay refused a call about the code: HAS_NO_PRIVILEGE" == trouble(refused)
    saying = Saying(wanted=NEW, confirmed=OLD, refused=NEW, error="no")
    assert trouble(Code(qr_payload="q", saying=saying)).endswith("it is stopped: no")
    named = msgspec.structs.replace(OLD, name="Foyer")
    saying = Saying(wanted=named, confirmed=OLD, refused=named, error="no")
    active = Code(status=CodeStatus.ACTIVE, qr_payload="q", saying=saying)
    assert "Alipay refused STORE_NAME, and the code goes on: no" == trouble(active)


def test_what_a_code_says_tells_its_url_to_nobody() -> None:
    """Each part changes with what it is made of; the store's id stands as it is."""
    said = {"notify_url": "https://pay.example/n/secret", "store_name": "Lobby"}
    one = says_of(**said, country_code="HK", address="1 Queen's Road")
    other = says_of(**said, country_code="SG", address="1 Queen's Road", store_id="VM-1_2")
    assert (one.notify, one.name) == (other.notify, other.name)
    assert one.address != other.address
    assert ("", "VM-1_2") == (one.store, other.store)
    assert "secret" not in str(one)


def every_code() -> Iterator[Code]:
    """Codes of each kind that the shortcut tells apart, and of some that it does not."""
    says = [None, Says(notify="n", name="a"), Says(notify="n", name="b"), Says(store="2")]
    sayings = [
        Saying(wanted=wanted, confirmed=confirmed, refused=refused, asked=asked, store=store)
        for wanted, confirmed in product(says, says)
        for refused, asked, store in product((None, says[1]), (None, says[2]), ("", "2"))
    ]
    for status, wanted, saying, payload in product(CodeStatus, STATUSES, sayings, ("", "q")):
        code = Code(status=status, wanted=wanted, saying=saying, qr_payload=payload)
        yield code
        yield replace(code, saying=replace(saying, deleting=True))
        yield replace(code, asked=wanted)
        yield replace(code, again_at_ms=1)
        yield replace(code, offline_stop_at_ms=1)
        yield replace(code, differs_since_ms=1)


def test_of_a_code_that_is_fulfilled_nothing_comes() -> None:
    """Whoever asks no further than that misses no call, no deadline and no difference."""
    found = [code for code in every_code() if fulfilled(code)]
    assert found
    for code in found:
        assert not under_way(code)
        assert next_call(code) is None
        assert rests(code)
        assert () == differing(code)
        assert not barred(code)
        assert not replaced(code)
        assert code.differs_since_ms is None


def test_a_code_of_which_nothing_comes_is_fulfilled() -> None:
    """The shortcut is taken wherever it may: by all codes that rest but those that Alipay refused
    something of, and those that are not as they should be.
    """
    for code in every_code():
        if (
            rests(code)
            and code.status in STATUSES
            and code.saying.refused is None
            and not differing(code)
            and code.differs_since_ms is None
            and code.wanted is CodeStatus.ACTIVE
        ):
            assert fulfilled(code), code
