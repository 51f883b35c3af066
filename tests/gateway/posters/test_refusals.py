"""Why there is no poster."""

from gateway.posters.refusals import PosterRefused


def test_a_refusal_is_told_of_its_machine() -> None:
    """The reason stays, and the sentence begins with whose it is."""
    told = PosterRefused("CODE_NOT_READY", "its code is STOPPED").of("VM-1")
    assert ("CODE_NOT_READY", "VM-1") == (told.reason, told.machine_id)
    assert "machine VM-1: its code is STOPPED" == str(told)
