"""What a machine is told about itself, made from the state alone."""

from actors.machine import commands
from actors.machine.code import CodeStatus
from actors.machine.values import replace
from tests.support.story import Story


def test_a_code_that_cannot_be_paid_is_hidden() -> None:
    """Also in the welcome and in the service message."""
    story = Story()
    assert "https://qr.example/vm-1" == commands.qr_payload(story.state)
    stopped = replace(story.state, code=replace(story.state.code, status=CodeStatus.STOPPED))

    assert {""} == {
        commands.qr_payload(stopped),
        commands.welcome(stopped).qr_payload,
        commands.service(stopped).qr_payload,
    }


def test_a_welcome_tells_where_the_machine_stands() -> None:
    """Session, funds and the vend that is approved; not one that still waits for its money."""
    story = Story()
    story.connect()
    story.select()
    waiting = commands.welcome(story.state)
    assert ("VM-1-s1", 0, None) == (waiting.session_id, waiting.funds_minor, waiting.vend_id)
    story.pay(600)
    approved = commands.welcome(story.state)

    assert (100, "VM-1-v1", 1) == (approved.funds_minor, approved.vend_id, approved.last_seq)


def test_both_the_administrator_and_the_machine_must_accept_customers() -> None:
    """Either of them may stop the sale."""
    story = Story()
    assert commands.sells(story.state)
    link, configuration = story.state.link, story.state.configuration

    assert not commands.sells(
        replace(story.state, configuration=replace(configuration, enabled=False))
    )
    assert not commands.sells(replace(story.state, link=replace(link, reader_enabled=False)))


def test_a_planogram_is_told_whole() -> None:
    """All columns, under the version that administrators gave it."""
    told = commands.planogram(Story().state)

    assert (1, ["A1", "A2"]) == (told.planogram_version, [one.column for one in told.columns])
