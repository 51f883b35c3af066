"""Nothing of a buyer passes the door but a keyed hash."""

import hashlib
import hmac
import re

from gateway.alipay.buyers import Buyers, kept, new_payer_id, told_sha256

FIELDS = {
    "trade_no": "t1",
    "seller_id": "2088000000000001",
    "buyer_id": "2088123412341234",
    "alipay_buyer_login_id": "a***@example.com",
    "BUYER_NICK": "ann",
    "sign": "signed over all of it",
    "sign_type": "RSA2",
}


def test_a_payers_number_is_128_random_bits() -> None:
    """Each is another one, and none looks like a hash in hexadecimal."""
    numbers = {new_payer_id() for _ in range(1_000)}
    assert 1_000 == len(numbers)
    assert all(re.fullmatch(r"[a-z2-7]{26}", number) for number in numbers)


def test_a_buyer_is_a_hash_under_a_key() -> None:
    """Another key makes another one of the same buyer; the number comes from whoever gives it."""
    one, other = (
        Buyers(salt=salt, new_payer_id=lambda: "number").named("2088123412341234")
        for salt in (b"one salt", b"another")
    )
    assert one is not None
    assert other is not None
    keyed = hmac.new(b"one salt", b"2088123412341234", hashlib.sha256).hexdigest()
    assert (keyed, "number") == (one.buyer_hash, one.new_payer_id)
    assert one.buyer_hash != other.buyer_hash


def test_a_buyer_under_two_salts_is_both_hashes() -> None:
    """So that who is known by one is found while the other takes its place."""
    old, new = (Buyers(salt=salt).named("2088123412341234") for salt in (b"old", b"new"))
    both = Buyers(salt=b"new", other_salts=(b"old",)).named("2088123412341234")
    assert old is not None
    assert new is not None
    assert both is not None
    assert (new.buyer_hash, (old.buyer_hash,)) == (both.buyer_hash, both.other_hashes)
    assert old.buyer_hash not in repr(both)


def test_nobody_is_no_buyer() -> None:
    """Not one whom all unnamed payers would share."""
    assert Buyers(salt=b"salt").named("") is None


def test_neither_hash_nor_key_is_shown() -> None:
    """Not even by a traceback that prints the values."""
    buyers = Buyers(salt=b"a secret salt")
    buyer = buyers.named("2088123412341234")
    assert buyer is not None
    assert "secret" not in repr(buyers)
    assert buyer.buyer_hash not in repr(buyer)


def test_what_names_a_buyer_or_was_computed_over_one_is_not_kept() -> None:
    """Whatever the field is called; all else stays as it came."""
    expected = {"trade_no": "t1", "seller_id": "2088000000000001", "sign_type": "RSA2"}
    assert expected == kept(FIELDS)


def test_the_digest_of_what_was_told_cannot_be_tried_for_buyers() -> None:
    """It is the same for every buyer, and another one for other money."""
    same = FIELDS | {"buyer_id": "2088000000000009", "sign": "another"}
    assert told_sha256(FIELDS) == told_sha256(same) == told_sha256(dict(reversed(same.items())))
    assert told_sha256(FIELDS) != told_sha256(FIELDS | {"trade_no": "t2"})
