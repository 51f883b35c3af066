"""How commands end."""

import pytest
import typer

from actors.ports import StoreError
from gateway.process.endings import sentences
from gateway.process.settings import SettingsRefused


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (SettingsRefused(("one", "two")), 2, "one\ntwo\n"),
        (StoreError("no database"), 3, "no database\n"),
        (FileNotFoundError(2, "No such file", "x"), 3, "x cannot be used (No such file).\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_a_person_can_mend_is_a_sentence(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings end with 2, whatever the command; all else with the status that it names."""
    with pytest.raises(typer.Exit) as ended, sentences(trouble=3):
        raise error
    assert (status, said) == (ended.value.exit_code, capsys.readouterr().err)


def test_a_defect_shows_where_it_is() -> None:
    """It is no sentence for a person."""
    with pytest.raises(ZeroDivisionError), sentences():
        raise ZeroDivisionError
