"""The database holds no denial that cannot be."""

from typing import Any

import pytest

from storage.database.engine import Database
from storage.tables import (
    denials,
    doubled_machines,
    enrolment_tokens,
    machine_certificates,
)
from tests.storage.tables.refused import refused, taken

DENIAL: dict[str, Any] = {
    "kind": "MACHINE",
    "name": "VM-1",
    "denied_by": "ann",
    "denied_at_ms": 1,
    "reason": "stolen",
}


@pytest.mark.slow_on_postgres
async def test_somebody_is_denied_once_and_is_of_a_known_kind(db: Database) -> None:
    """A machine and a person may have the same name."""
    await refused(db, denials, {**DENIAL, "kind": "GATEWAY"})
    await taken(db, denials, DENIAL)
    await refused(db, denials, DENIAL)
    await taken(db, denials, {**DENIAL, "kind": "PERSON"})


@pytest.mark.slow_on_postgres
async def test_a_machine_has_one_token_and_each_generation_once(db: Database) -> None:
    """So nobody can have two first certificates of one machine."""
    token = {
        "machine_id": "VM-1",
        "token_id": "T1",
        "secret_sha256": "s",
        "issued_by": "ann",
        "issued_at_ms": 1,
        "expires_at_ms": 2,
        "wrong_tries": 0,
    }
    await taken(db, enrolment_tokens, token)
    await refused(db, enrolment_tokens, {**token, "token_id": "T2"})
    await refused(db, enrolment_tokens, {**token, "machine_id": "VM-2"})
    certificate = {
        "serial": "a1",
        "machine_id": "VM-1",
        "generation": 1,
        "request_sha256": "r",
        "chain": "c",
        "issued_at_ms": 1,
        "not_after_ms": 2,
    }
    await taken(db, machine_certificates, certificate)
    await refused(db, machine_certificates, {**certificate, "serial": "a2"})
    await refused(db, machine_certificates, {**certificate, "generation": 2})


@pytest.mark.slow_on_postgres
async def test_a_machine_is_found_doubled_once_at_a_time(db: Database) -> None:
    """Another time is another item."""
    found = {"machine_id": "VM-1", "found_at_ms": 1, "serial": "a1", "said": "twice"}
    await taken(db, doubled_machines, found)
    await refused(db, doubled_machines, found)
    await taken(db, doubled_machines, {**found, "found_at_ms": 2})
