"""Signing: every vector, and every vector with one byte changed."""

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from alipay_client import SignType, signing
from alipay_client.keys import Keys, load_keys
from tests.alipay_client import vectors
from tests.alipay_client.vectors import Vector
from tests.alipay_client.wire import Pair, md5_config

EACH = pytest.mark.parametrize("vector", vectors.ALL, ids=lambda vector: vector.name)
MD5 = Keys(sign_type=SignType.MD5, md5_key=vectors.KEY.encode())


@EACH
def test_the_string_to_sign_is_built_as_documented(vector: Vector) -> None:
    """Sorted by bytes, joined raw; sign, sign_type and empties are left out."""
    fields = {**vector.fields(), "sign": "x", "sign_type": "MD5", "refund_reason": ""}
    assert vector.text.encode(vector.charset) == signing.canonical(
        signing.encoded(fields, vector.charset)
    )


@EACH
def test_md5_vectors_are_reproduced(vector: Vector) -> None:
    """The digest is the documented one, and it verifies."""
    keys = Keys(sign_type=SignType.MD5, md5_key=vector.key.encode())
    data = vector.text.encode(vector.charset)
    assert vector.md5 == signing.sign(data, keys)
    assert signing.verify(data, vector.md5, SignType.MD5, keys)


@EACH
def test_one_changed_byte_is_refused(vector: Vector) -> None:
    """Whichever byte of the text is changed, or any of the signature."""
    keys = Keys(sign_type=SignType.MD5, md5_key=vector.key.encode())
    data = vector.text.encode(vector.charset)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        assert not signing.verify(changed, vector.md5, SignType.MD5, keys)
    for at in range(len(vector.md5)):
        changed_sign = (
            vector.md5[:at] + ("0" if vector.md5[at] != "0" else "1") + vector.md5[at + 1 :]
        )
        assert not signing.verify(data, changed_sign, SignType.MD5, keys)


def test_empties_are_kept_when_asked() -> None:
    """The second reading of an answer includes them as name=."""
    assert b"a=1&b=" == signing.canonical([(b"b", b""), (b"a", b"1")], keep_empty=True)


def test_order_is_that_of_bytes() -> None:
    """Capitals come before the underscore, the underscore before small letters."""
    assert b"Z=1&_b=2&a=3" == signing.canonical([(b"a", b"3"), (b"_b", b"2"), (b"Z", b"1")])


def test_the_published_rsa_vector_verifies_with_its_short_key() -> None:
    """A 1024-bit fixture key is read by the same way as any other; one changed byte is refused."""
    keys = load_keys(
        md5_config(
            notify_sign_types=frozenset({SignType.RSA}), alipay_public_key=vectors.RSA_PUBLIC_KEY
        ),
    )
    assert signing.verify(vectors.RSA_TEXT, vectors.RSA_SIGNATURE, SignType.RSA, keys)
    assert not signing.verify(vectors.RSA_TEXT, vectors.RSA_SIGNATURE, SignType.RSA2, keys)
    assert not signing.verify(
        vectors.RSA_TEXT.replace(b"3", b"4"), vectors.RSA_SIGNATURE, SignType.RSA, keys
    )
    assert not signing.verify(vectors.RSA_TEXT, "U" + vectors.RSA_SIGNATURE[1:], SignType.RSA, keys)
    assert load_der_public_key(base64.b64decode(vectors.RSA_PUBLIC_KEY)) == keys.public_key


@pytest.mark.parametrize("sign_type", [SignType.RSA, SignType.RSA2])
def test_rsa_signatures_prove_the_text_that_they_cover(sign_type: SignType, pair: Pair) -> None:
    """Alipay's signature verifies with Alipay's key; a changed text does not, nor what we signed
    ourselves.
    """
    keys = load_keys(pair.config(sign_type))
    signature = pair.signer(sign_type)(b"a=1")
    assert signing.verify(b"a=1", signature, sign_type, keys)
    assert not signing.verify(b"a=2", signature, sign_type, keys)
    assert not signing.verify(b"a=1", signing.sign(b"a=1", keys), sign_type, keys)
    assert "\n" not in signing.sign(b"a=1", keys)


@pytest.mark.parametrize("signature", ["", "not base64!", "é", "AAAA"])
@pytest.mark.parametrize("sign_type", list(SignType))
def test_what_is_no_signature_is_just_false(
    signature: str, sign_type: SignType, pair: Pair
) -> None:
    """Garbage in the sign field is an answer, not an accident."""
    assert not signing.verify(b"a=1", signature, sign_type, load_keys(pair.config(SignType.RSA2)))
    assert not signing.verify(b"a=1", signature, sign_type, MD5)


@settings(deadline=None)  # the machine may be busy
@given(st.binary())
def test_a_missing_md5_key_proves_nothing(data: bytes) -> None:
    """Otherwise anyone could sign with the empty key."""
    assert not signing.verify(
        data,
        signing.sign(data, Keys(sign_type=SignType.MD5)),
        SignType.MD5,
        Keys(sign_type=SignType.MD5),
    )


@pytest.mark.parametrize("sign_type", [SignType.RSA2, SignType.MD5])
def test_each_key_that_stands_side_by_side_proves(sign_type: SignType) -> None:
    """Whichever Alipay signed with; ours is signed with the first alone."""
    if sign_type is SignType.MD5:
        one, other = (Keys(sign_type=sign_type, md5_key=key * 32) for key in (b"a", b"b"))
        both = replace(one, other_md5_keys=(other.md5_key,))
    else:
        one, other = (
            Keys(sign_type=sign_type, private_key=key, public_key=key.public_key())
            for key in (rsa.generate_private_key(65_537, 1_024) for _ in range(2))
        )
        assert other.public_key is not None
        both = replace(one, other_public_keys=(other.public_key,))
    signatures = [signing.sign(b"text", keys) for keys in (one, other)]
    assert [True, True] == [signing.verify(b"text", s, sign_type, both) for s in signatures]
    assert [True, False] == [signing.verify(b"text", s, sign_type, one) for s in signatures]
    assert signatures[0] == signing.sign(b"text", both)
