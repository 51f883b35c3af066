"""An item is closed once, and nobody is signed in for ever."""

import pytest

from storage.database.engine import Database
from storage.tables import console_logins, work_item_closings
from tests.storage.tables.refused import refused, taken

CLOSING = {
    "item_id": "conflict:1",
    "kind": "CONFLICT",
    "machine_id": "VM-1",
    "actor": "ann",
    "closed_at_ms": 1,
    "reason": "seen",
}


@pytest.mark.slow_on_postgres
async def test_an_item_is_closed_once(db: Database) -> None:
    """Whoever closes it again finds that it is closed."""
    await taken(db, work_item_closings, CLOSING)
    await refused(db, work_item_closings, {**CLOSING, "actor": "bob"})


@pytest.mark.slow_on_postgres
async def test_a_login_ends_by_itself(db: Database) -> None:
    """None is issued that is over, or has no end."""
    login: dict[str, object] = {
        "secret_sha256": "a" * 64,
        "kind": "LINK",
        "person": "ann",
        "role": "viewer",
    }
    login |= {"issued_at_ms": 1}
    await taken(db, console_logins, {**login, "expires_at_ms": 2})
    await refused(db, console_logins, {**login, "secret_sha256": "b" * 64, "expires_at_ms": 1})
