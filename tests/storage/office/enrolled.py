"""Machines with certificates, for tests: as short as can be, and none of them signed by anybody."""

from typing import Any

from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office.certificates import Came, Certificate, Certificates
from storage.office.deeds import Deed
from storage.office.enrolment_tokens import EnrolmentTokens, TokenView
from tests.support.keeping import Keeping

NOW_MS = 1_000_000
SECRET = "ABCDEFGHJKMNPQRSTVWX"


def certificate(name: str, **more: Any) -> Certificate:
    """A certificate with this serial number, for a request of the same name."""
    whole: dict[str, Any] = {
        "serial": name,
        "machine_id": "VM-1",
        "request_sha256": f"request {name}",
        "chain": f"chain {name}",
        "issued_at_ms": NOW_MS,
        "not_after_ms": NOW_MS + 30 * DAY_MS,
    }
    return Certificate(**{**whole, **more})


async def token(
    db: Database, token_id: str = "T1", *, machine_id: str = "VM-1", now_ms: int = NOW_MS
) -> EnrolmentTokens:
    """Issue a token that is good for a day."""
    tokens = EnrolmentTokens(db, Keeping(now_ms))
    view = TokenView(machine_id=machine_id, token_id=token_id, expires_at_ms=now_ms + DAY_MS)
    deed = Deed(actor="ann", action="CreateEnrolmentToken", now_ms=now_ms)
    await tokens.issue(view, SECRET, "new", deed, by="ann")
    return tokens


async def enrolled(db: Database, name: str = "a1", *, now_ms: int = NOW_MS) -> Certificates:
    """Enrol VM-1, which is registered, with its first certificate."""
    tokens = await token(db, f"T{name}", now_ms=now_ms)
    made = certificate(name, issued_at_ms=now_ms, not_after_ms=now_ms + 30 * DAY_MS)
    assert made.chain == await tokens.use(f"T{name}", made, now_ms=now_ms)
    return Certificates(db, Keeping(now_ms))


async def doubled(db: Database) -> None:
    """Let VM-1, which is registered, renew its certificate and somebody come with the old one."""
    certificates = await enrolled(db)
    await certificates.renew(certificate("a2"), certificate("a1"), now_ms=NOW_MS)
    for serial in ("a1", "a2"):
        assert [] == await certificates.came([came(serial)], now_ms=NOW_MS)
    assert ["VM-1"] == await certificates.came([came("a1")], now_ms=NOW_MS)


def came(serial: str, **more: Any) -> Came:
    """VM-1 came with a certificate."""
    whole: dict[str, Any] = {"machine_id": "VM-1", "serial": serial, "at_ms": NOW_MS}
    return Came(**{**whole, "address": "ipv4:10.0.0.9", **more})
