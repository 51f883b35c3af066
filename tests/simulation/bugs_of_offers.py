"""Bugs about offers; ``planted`` tells in a sentence what each of them means."""

from typing import Any
from unittest.mock import patch

from actors.machine import offering
from storage.machines import offer_uses


def budget_is_what_was_read() -> Any:
    """A use is counted by what its payment found, whoever used the offer since."""
    return patch.object(offer_uses, "_why_not", lambda *_: "")


def use_is_not_given_back() -> Any:
    """A vend that was not delivered stays used."""
    return patch.object(offering, "not_delivered", lambda *_: None)
