"""Bugs about recalls; ``planted`` tells in a sentence what each of them means."""

from typing import Any
from unittest.mock import patch

from actors.machine import vending
from actors.machine.values import replace
from storage.machines import loading


def waiting_vend_goes_on() -> Any:
    """Who has chosen before the lock may still pay."""
    return patch.object(vending, "stop_locked", lambda _: None)


def lock_is_not_loaded() -> Any:
    """An actor that loads its machine does not find what is locked."""
    configuration_of = loading.configuration_of
    return patch.object(
        loading, "configuration_of", lambda row: replace(configuration_of(row), locked=None)
    )
