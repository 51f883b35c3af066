"""What machines' codes shall say at Alipay, as the registry and the settings of this host have it.

Flows in: machines as SQL has them. Flows out: for one that knows something else, the letter that
tells it. A new domain is another wish of all machines at once, so that those of whom nobody changed
anything get their turns one after the other (``Policy.code_modify_every_ms``).
"""

import random

from actors.host.runner import Letter
from actors.machine.code import Says
from actors.machine.events import CodeWished
from actors.machine.policy import WAIT
from actors.machine.state import MachineState
from actors.ports import Clock, LoadedMachine


class Wishes:
    """Of one start of a host. ``every_ms``: one turn in each such time."""

    def __init__(self, *, clock: Clock, rng: random.Random, every_ms: int) -> None:
        self._clock = clock
        self._rng = rng
        self._every_ms = every_ms
        self._next_at_ms = 0

    @staticmethod
    def unknown(loaded: LoadedMachine, state: MachineState | None = None) -> Says | None:
        """Return what the machine's code shall say if the machine does not know it; ``state`` is
        the newest, if it is not the one that was loaded. A retired machine's says what it did.
        """
        says = loaded.place.says
        known = (state or loaded.state).code.saying.wanted
        if loaded.configuration.configuration.retired or says == known:
            return None
        return says

    def letter(self, loaded: LoadedMachine, state: MachineState | None = None) -> Letter | None:
        """Return what tells the machine, if it must be told."""
        says = self.unknown(loaded, state)
        if says is None:
            return None
        known = state or loaded.state
        revision = loaded.configuration.configuration.revision
        somebodys = revision > known.configuration.revision
        wait_ms = 0 if somebodys or not known.code.qr_payload else self._turn_ms()
        return Letter(event=CodeWished(says=says, wait_ms=wait_ms, revision=revision))

    def _turn_ms(self) -> int:
        """Return after how long the next turn comes, a day at most."""
        now_ms = self._clock.now_ms()
        at_ms = max(now_ms, self._next_at_ms)
        self._next_at_ms = at_ms + self._every_ms
        return min(at_ms - now_ms + self._rng.randrange(self._every_ms), WAIT.most)
