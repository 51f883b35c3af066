"""What a state keeps of its machine's code."""

import msgspec

from actors.machine.code import Code, CodeStatus, Saying, Says, barred, blurred, replaced, tells_us


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
