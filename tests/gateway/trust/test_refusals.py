"""How a machine gets no certificate."""

from gateway.rpc import statuses
from gateway.rpc.statuses import Refusal
from gateway.trust import refusals


def test_each_has_a_word_of_its_own() -> None:
    """Beside those with which a stream ends."""
    own = [one.reason for one in vars(refusals).values() if isinstance(one, Refusal)]
    assert len(set(own)) == len(own)
    assert set(own).isdisjoint(statuses.STREAM_ENDS)


def test_whoever_has_no_secret_hears_one_answer() -> None:
    """A wrong token, one that was replaced and one that is locked are told alike."""
    said = refusals.TOKEN_WRONG.message
    assert "wrong, was replaced, or is locked" in said
