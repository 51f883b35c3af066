"""Throw-away keys, made once in a test session."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.alipay_client.wire import Pair


@pytest.fixture(scope="session")
def pair() -> Pair:
    """Give the keys of one contract."""
    return Pair(
        merchant=rsa.generate_private_key(65_537, 2_048),
        alipay=rsa.generate_private_key(65_537, 2_048),
    )
