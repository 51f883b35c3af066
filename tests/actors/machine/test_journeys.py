"""Whatever customers, machines, Alipay and the clock do, in any order: the invariants hold and no
money is lost or made.

In scope: the core alone, driven by Hypothesis. The shell and real faults of disks and networks are
elsewhere.
"""

from hypothesis import settings

from tests.support.journey import MachineJourney

TestMachineJourney = MachineJourney.TestCase
TestMachineJourney.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
