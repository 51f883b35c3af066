"""The messages, as values."""

import dataclasses

import pytest

from alipay_client import messages

ASKED = messages.Refund(
    partner_trans_id="T1", partner_refund_id="R1", amount_minor=500, currency="HKD"
)


def shop() -> messages.Shop:
    """Return a shop that wants nothing given back."""
    return messages.Shop(
        secondary_merchant_id="m",
        secondary_merchant_name="Example Vending",
        secondary_merchant_industry="5499",
        store_id="VM_0001",
        store_name="Lobby",
        trans_currency="HKD",
        currency="HKD",
    )


def test_a_refund_is_synchronous_unless_told_otherwise() -> None:
    """The caller hears at once what became of the money, and no notification is asked for."""
    assert (True, "") == (ASKED.synchronous, ASKED.notify_url)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(messages.Refund)])
def test_a_message_never_changes(name: str) -> None:
    """A message that is under way is what was decided: no field of it can be written."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(ASKED, name, "other")


def test_two_shops_share_no_parameters() -> None:
    """What one shop wants given back is not another's."""
    one, other = shop(), shop()
    one.passback_parameters["machine"] = "VM_0001"

    assert {} == other.passback_parameters
