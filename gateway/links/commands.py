"""Administrators' acts that wait for a host's answer.

Flows in: each command as it is asked, as it leaves and as it is answered, and the end of the link.
Flows out: the answer, or ``HostUnavailable``, which says whether the act may have been done.
"""

import asyncio
from collections.abc import Iterable

from actors.link import CommandDone


class HostUnavailable(Exception):
    """A command got no answer. ``sent`` tells whether it may have been carried out all the same:
    look before asking again.
    """

    def __init__(self, detail: str, *, sent: bool) -> None:
        outcome = (
            "its outcome is unknown: look at the machine before asking again"
            if sent
            else "nothing was sent: ask again later"
        )
        super().__init__(f"{detail}; {outcome}")
        self.sent = sent


class OpenCommands:
    """The commands to one host that have no answer yet."""

    __slots__ = ("_answers", "_sent")

    def __init__(self) -> None:
        self._answers: dict[str, asyncio.Future[CommandDone]] = {}
        self._sent: set[str] = set()
        """Which of them left for the host; of these nobody knows whether they were done."""

    def __len__(self) -> int:
        return len(self._answers)

    def ask(self, command_id: str) -> "asyncio.Future[CommandDone]":
        """Return the future answer to a command. ``forget`` it, whatever comes."""
        answer: asyncio.Future[CommandDone] = asyncio.get_running_loop().create_future()
        self._answers[command_id] = answer
        return answer

    def forget(self, command_id: str) -> None:
        """Nobody waits for the answer any more."""
        self._answers.pop(command_id, None)
        self._sent.discard(command_id)

    def leave(self, command_ids: Iterable[str]) -> None:
        """These commands leave for the host now."""
        self._sent.update(command_ids)

    def sent(self, command_id: str) -> bool:
        """Return whether the command left for the host."""
        return command_id in self._sent

    def done(self, answer: CommandDone) -> None:
        """Give an answer to whoever waits for it, if anybody does."""
        waiting = self._answers.get(answer.command_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def link_broke(self, detail: str) -> None:
        """Tell those whose command was on its way that its outcome is unknown."""
        for command_id in tuple(self._sent):
            waiting = self._answers.get(command_id)
            if waiting is not None and not waiting.done():
                waiting.set_exception(HostUnavailable(detail, sent=True))
