"""What the parts share."""

import pytest

from alipay_client.simulator import Faults, Quirks
from alipay_client.simulator.context import ANSWER_FAULTS
from tests.alipay_client.simulator.merchant import World


def test_switches_are_set_together(here: World) -> None:
    """Quirks and faults are switched by name in one go, all or none."""
    here.alipay.switch({"short_of_funds": True, "slow": 0.5})
    assert Quirks(short_of_funds=True) == here.alipay.context.quirks
    assert Faults(slow=0.5) == here.alipay.context.faults
    with pytest.raises(ValueError, match="slow"):
        here.alipay.switch({"short_of_funds": False, "slow": 2})
    assert here.alipay.context.quirks.short_of_funds
    assert here.alipay.context.switches()["short_of_funds"] is True
    assert here.alipay.context.terms().short_of_funds


def test_planned_faults_have_names_and_a_bound(here: World) -> None:
    """Only faults of answers can be planned, and no more than the limit."""
    here.alipay.plan("", *ANSWER_FAULTS)
    assert ["", *ANSWER_FAULTS] == list(here.alipay.context.planned)
    with pytest.raises(ValueError, match="no fault"):
        here.alipay.plan("notify_lost")
    with pytest.raises(ValueError, match="at most"):
        here.alipay.plan(*[""] * 1_000)
