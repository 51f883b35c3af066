"""The text of a token with which a machine is enrolled."""

import pytest

from gateway.trust.enrolment_tokens import EnrolmentToken, payload

WHOLE = EnrolmentToken(token_id="01ABCDEF", secret="GHJKMNPQRSTVWXYZ0123")
TEXT = "01AB-CDEF-GHJK-MNPQ-RSTV-WXYZ-0123"


def test_it_is_written_in_groups_and_read_as_it_was_meant() -> None:
    """Whoever types O for 0, or small letters, or no hyphens, means the same."""
    assert TEXT == WHOLE.text()
    typed = ("01ab cdef ghjk mnpq rstv wxyz o123", "oiABCDEFGHJKMNPQRSTVWXYZOL23", f"\n{TEXT} ")
    for one in typed:
        assert EnrolmentToken.read(one) == WHOLE


@pytest.mark.parametrize("typed", ["", TEXT[:-1], TEXT + "4", "U" * 28, "é" * 28, "-" * 1_000])
def test_what_cannot_be_one_is_none(typed: str) -> None:
    """Without a look at the database."""
    assert EnrolmentToken.read(typed) is None


def test_two_are_never_alike() -> None:
    """A hundred and forty bits of them."""
    made = {EnrolmentToken.made().text() for _ in range(50)}
    assert 50 == len(made)
    assert all(EnrolmentToken.read(text) is not None for text in made)


def test_its_secret_is_in_no_log() -> None:
    """Its id may be."""
    assert WHOLE.secret not in repr(WHOLE)
    assert WHOLE.token_id in repr(WHOLE)


def test_the_code_of_the_technician_holds_all_that_a_machine_needs() -> None:
    """The address only where it is known."""
    said = payload("VM-1", WHOLE, "gw.example:7446")
    assert f"vendgate:enrol?machine=VM-1&token={TEXT}&at=gw.example:7446" == said
    assert payload("VM-1", WHOLE, "").endswith(TEXT)
