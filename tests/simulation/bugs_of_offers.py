"""Bugs about offers; ``planted`` tells in a sentence what each of them means."""

from typing import Any
from unittest.mock import patch

from actors.host import saving
from actors.host.runner import Letter
from actors.machine import offering
from actors.machine.offer import OfferRefused
from storage.machines import offer_uses


def budget_is_what_was_read() -> Any:
    """A use is counted by what its payment found, whoever used the offer since."""
    return patch.object(offer_uses, "_why_not", lambda *_: "")


def use_is_not_given_back() -> Any:
    """A vend that was not delivered stays used."""
    return patch.object(offering, "not_delivered", lambda *_: None)


def end_is_told_too_early() -> Any:
    """What the books refused is told before all that is decided again."""

    def tell(batch: Any, _: Any, refused: Any) -> None:
        letters_of = {runner.machine_id: letters for runner, letters in batch}
        for one in refused:
            event = OfferRefused(offer=one.offer, why=one.why)
            letters_of[one.machine_id].insert(0, Letter(event=event))

    return patch.object(saving, "_tell_of_offers", tell)


def end_is_told_before_the_return() -> Any:
    """What the books refused is told before the last letter that names its vend."""

    def tell(batch: Any, changes: Any, refused: Any) -> None:
        used_by = {use.vend_id: change.event for change in changes for use in change.decision.uses}
        letters_of = {runner.machine_id: letters for runner, letters in batch}
        for one in refused:
            letters, event = letters_of[one.machine_id], used_by[one.vend_id]
            place = next(place for place, letter in enumerate(letters) if letter.event is event)
            letters.insert(place, Letter(event=OfferRefused(offer=one.offer, why=one.why)))

    return patch.object(saving, "_tell_of_offers", tell)
