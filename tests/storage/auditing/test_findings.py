"""What an audit says can be read by a program."""

import json
from collections.abc import Callable

from tests.storage.auditing.books import audited


async def test_the_audit_is_one_json_object(spoilt: Callable[..., str]) -> None:
    """Findings name what they are about and the amounts; what is not known is left out."""
    audit = await audited(spoilt("UPDATE vends SET price_minor = 600 WHERE vend_id = 'VM-1-v1'"))
    told = json.loads(json.dumps(audit.as_json()))
    (finding,) = [finding for check in told["checks"] for finding in check["findings"]]
    assert not told["clean"]
    assert ("VM-1", "VM-1-v1", "HKD") == (
        finding["machine_id"],
        finding["vend_id"],
        finding["currency"],
    )
    assert {"price_minor": 600, "reserved_minor": 500} == finding["amounts"]
    assert "refund_id" not in finding
    assert ["HKD", "JPY"] == [balance["currency"] for balance in told["balances"]]
