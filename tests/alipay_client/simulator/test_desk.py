"""What the parts share."""

import pytest

from alipay_client.simulator import Faults, Quirks
from alipay_client.simulator.desk import ANSWER_FAULTS
from tests.alipay_client.simulator.merchant import World


def test_switches_are_set_together(here: World) -> None:
    """Quirks and faults are switched by name in one go, all or none."""
    here.alipay.switch({"short_of_funds": True, "slow": 0.5})
    assert Quirks(short_of_funds=True) == here.alipay.desk.quirks
    assert Faults(slow=0.5) == here.alipay.desk.faults
    with pytest.raises(ValueError, match="slow"):
        here.alipay.switch({"short_of_funds": False, "slow": 2})
    assert here.alipay.desk.quirks.short_of_funds
    assert here.alipay.desk.switches()["short_of_funds"] is True
    assert here.alipay.desk.terms().short_of_funds


def test_planned_faults_have_names_and_a_bound(here: World) -> None:
    """Only faults of answers can be planned, and only so many."""
    here.alipay.plan("", *ANSWER_FAULTS)
    assert ["", *ANSWER_FAULTS] == list(here.alipay.desk.planned)
    with pytest.raises(ValueError, match="no fault"):
        here.alipay.plan("notify_lost")
    with pytest.raises(ValueError, match="at most"):
        here.alipay.plan(*[""] * 1_000)
