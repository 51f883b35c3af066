"""Private keys that are read once for all tests and worlds of a process.

To read one takes 30 ms of processor, because its numbers are proved; hundreds of tests, and each
start of a host in a world, read the same few.
"""

import contextlib
import functools
from collections.abc import Iterator
from unittest.mock import patch

from cryptography.hazmat.primitives import serialization

from alipay_client import keys

_DER = functools.cache(serialization.load_der_private_key)
_PEM = functools.cache(serialization.load_pem_private_key)


@contextlib.contextmanager
def read_once() -> Iterator[None]:
    """Let whoever reads a key meanwhile have the one that was read before."""
    with (
        patch.object(keys, "load_der_private_key", _DER),
        patch.object(serialization, "load_der_private_key", _DER),
        patch.object(serialization, "load_pem_private_key", _PEM),
    ):
        yield
