"""What tests say of a machine's code: orders, answers, and an Alipay that forgets to answer."""

from actors.machine import MachineState, events, next_deadline, owed
from actors.machine.code import CodeStatus, Saying, Says
from actors.machine.effects import (
    ChangeCodeStatus,
    CreateCode,
    DeleteCode,
    ModifyCode,
    UpdateService,
)
from actors.machine.ids import MachineId
from actors.machine.state import Configuration, Mode
from actors.machine.values import replace
from tests.support.story import HKD, Story

STOP = ChangeCodeStatus(qr_payload="https://qr.example/vm-1", status=CodeStatus.STOPPED)
RESTART = ChangeCodeStatus(qr_payload="https://qr.example/vm-1", status=CodeStatus.ACTIVE)
LOST = events.CodeFailed(final=False, detail="time-out")
HERE = Says(notify="here", name="Lobby", address="1 Queen's Road")
MOVED = replace(HERE, notify="moved")
RENAMED = replace(HERE, name="Foyer")
MODIFY = ModifyCode(qr_payload="https://qr.example/vm-1")


def a_new_machine() -> Story:
    """Registered a moment ago, nothing asked of Alipay yet."""
    return Story(MachineState(machine_id=MachineId("VM-1"), currency=HKD))


def registered(story: Story) -> None:
    """The registry has spoken for the first time."""
    story.do(
        events.ConfigurationChanged(
            configuration=Configuration(revision=1, mode=Mode.SELECTION_FIRST)
        )
    )


def known(story: Story) -> CodeStatus:
    """What is known of the code now."""
    return story.state.code.status


def told(story: Story) -> UpdateService:
    """What the machine was told last of its service."""
    newest = story.effects(UpdateService)[-1]
    assert isinstance(newest, UpdateService)
    return newest


class Forgetful:
    """Alipay as the story's orders reach it, each of whose answers is lost once if it ``forgets``;
    what the host sends of the code's place is always what is wanted.
    """

    def __init__(self, story: Story, *, forgets: bool = True) -> None:
        self.story, self.forgets = story, forgets
        self.status, self.says = CodeStatus.ACTIVE, Says()
        self.codes, self.deleted = {""}, set[str]()
        self._lost = set[object]()

    def answer(self) -> None:
        """It does what was ordered, and answers or not."""
        (call,) = owed(self.story.state)
        wanted = self.story.state.code.saying.wanted or Says()
        event: events.Event
        match call:
            case CreateCode():
                self.codes.add(call.store)
                self.status, self.says = CodeStatus.ACTIVE, wanted
                event = events.CodeCreated(qr_payload=f"qr{call.store}")
            case ModifyCode():
                self.says = wanted
                event = events.CodeModified(says=wanted)
            case ChangeCodeStatus():
                self.status = call.status
                event = events.CodeStatusChanged(status=call.status)
            case DeleteCode():
                self.deleted.add(call.qr_payload)
                event = events.CodeDeleted()
            case _:
                raise AssertionError(call)
        about = (call, wanted)
        if self.forgets and about not in self._lost:
            self._lost.add(about)
            event = LOST
        self.story.do(event)

    def come_to_rest(self) -> None:
        """All that is due is done, and told in the end."""
        for _ in range(100):
            if owed(self.story.state):
                self.answer()
            elif (at_ms := next_deadline(self.story.state, self.story.policy)) is not None:
                self.story.wait(max(0, at_ms - self.story.now_ms))
            else:
                return
        raise AssertionError("the code does not come to rest")


def a_known_code(says: Says = HERE) -> Story:
    """A machine whose code says this, confirmed by Alipay."""
    story = Story()
    saying = Saying(wanted=says, confirmed=says)
    story.state = replace(story.state, code=replace(story.state.code, saying=saying))
    return story
