"""A file of vouchers is done under its caller's name, and refused by its lines."""

import pytest

from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.office.v1 import voucher_service_pb2 as wire
from gateway.office.voucher_calls import VoucherCalls
from storage.insight.vouchers import VoucherBooks
from tests.gateway.office.vouchers import voucher, vouchers
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site

ANN = Act(actor="ann", person="ann", within_s=HANGS_AFTER_S)


async def test_a_file_with_a_wrong_line_reaches_no_database(site: Site) -> None:
    """What is right in it is not kept either."""
    calls = VoucherCalls(vouchers=VoucherBooks(site.database), clock=site.clock)
    wrong = vouchers("v1", voucher("v2", currency="XXX"))
    with pytest.raises(CallRefused) as refused:
        await calls.import_file(wire.ImportRedemptionsRequest(csv=wrong.encode()), ANN)
    assert "line 3: currency" in refused.value.refusal.message
    right = wire.ImportRedemptionsRequest(csv=vouchers("v1").encode())
    assert 1 == (await calls.import_file(right, ANN)).added
