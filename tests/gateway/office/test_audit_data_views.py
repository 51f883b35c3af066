"""Whatever is kept of a read-out becomes a message that can be shown."""

import dataclasses

import pytest

from gateway.fleet.errors import CallRefused
from gateway.office import audit_data_views as views
from gateway.office.v1 import audit_data_pb2
from storage.office.audit_data import AuditReset
from storage.office.audit_figures import Meter
from storage.office.readout_check import AlipaySays
from tests.storage.office.read_out import VIEW


@pytest.mark.parametrize("says", AlipaySays)
def test_each_word_of_alipay_has_a_number(says: AlipaySays) -> None:
    """By its name; of what was not compared none is said."""
    span = dataclasses.replace(VIEW.span, alipay=says)
    shown = views.readout(dataclasses.replace(VIEW, span=span))
    assert f"ALIPAY_SAYS_{says}" == audit_data_pb2.AlipaySays.Name(shown.span.alipay)
    silent = dataclasses.replace(span, compared=False)
    assert 0 == views.readout(dataclasses.replace(VIEW, span=silent)).span.alipay


def test_a_list_has_no_findings() -> None:
    """They are in the read-out itself."""
    assert ["FIGURE"] == [one.defect for one in views.readout(VIEW).findings]
    assert [] == list(views.readout(VIEW, listed=True).findings)


def test_installation_has_no_time() -> None:
    """Else it would be 1970."""
    assert views.readout(VIEW).span.HasField("from")
    first = dataclasses.replace(VIEW, span=dataclasses.replace(VIEW.span, from_ms=None))
    assert not views.readout(first).span.HasField("from")


def test_what_is_unknown_is_absent() -> None:
    """And 0 is 0."""
    (differs,) = VIEW.differences
    shown = views.difference(differs)
    assert (True, False) == (shown.machine.HasField("number"), shown.machine.HasField("value"))
    zero = dataclasses.replace(differs.difference, machine=Meter(number=0, minor=0))
    shown = views.difference(dataclasses.replace(differs, difference=zero))
    assert (True, True) == (shown.machine.HasField("number"), shown.machine.HasField("value"))


def test_a_reset_is_shown_plainly() -> None:
    """Whatever its reason was."""
    made = AuditReset(
        machine_id="VM-1", number=2, reset_at_ms=5, actor="ann", reason="\x1b[2J\u202ex"
    )
    shown = views.reset(made)
    assert (2, 5_000_000) == (shown.number, shown.reset_at.nanos)
    assert shown.reason.isprintable()


def test_a_position_is_one_of_ours() -> None:
    """Or none."""
    assert views.after("") is None
    assert (7, "a" * 64) == views.after(f"7:{'a' * 64}")
    for wrong in ("7", "x:y", f"-7:{'a' * 64}", f"{'9' * 16}:{'a' * 64}", "7:a"):
        with pytest.raises(CallRefused):
            views.after(wrong)
