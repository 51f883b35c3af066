"""The switches in words."""

from alipay_client.simulator.config import Faults, Quirks, names
from alipay_client.simulator.legend import WORDS, explained


def test_every_switch_has_a_sentence() -> None:
    """Each once, none for a switch that does not exist, and each begins and ends as one."""
    assert names(Faults) | names(Quirks) == WORDS.keys()
    assert len(WORDS) == len(set(WORDS.values()))
    assert [] == [
        words for words in WORDS.values() if not (words[0].isupper() and words.endswith("."))
    ]


def test_what_is_chosen_from() -> None:
    """A switch of words names them; a number names none."""
    told = {name: (value, choices) for name, value, _, choices in explained(Quirks())}

    assert ("UTF-8", ("UTF-8", "GBK")) == told["answer_charset"]
    assert (365, ()) == told["refund_window_days"]
    assert names(Quirks) == told.keys()
