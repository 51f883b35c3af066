"""A process of our own runs our code, and knows what it needs."""

import os
import site
from pathlib import Path

import pytest

import gateway
from gateway.process import offspring

HERE = str(Path(gateway.__file__).parents[1])


async def test_its_module_is_ours_whatever_lies_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file there is no library, and no part of the gateway; and the code is found where this
    process found it.
    """
    for name in ("json.py", "gateway.py"):
        (tmp_path / name).write_text("raise SystemExit('taken from the folder')")
    monkeypatch.chdir(tmp_path)
    child = await offspring.begun(offspring.program("gateway", "--help"))
    told, said = await child.communicate()
    assert 0 == child.returncode, said.decode()
    assert b"serve" in told


@pytest.mark.parametrize(
    ("given", "is_told"),
    [("", HERE), (HERE, None), ("/elsewhere", os.pathsep.join(("/elsewhere", HERE)))],
)
def test_it_is_told_where_our_code_is_unless_it_knows(
    given: str, is_told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a copy that nobody has installed it would find nothing."""
    monkeypatch.setenv("PYTHONPATH", given)
    assert ({} if is_told is None else {"PYTHONPATH": is_told}) == offspring.importable()


def test_installed_code_is_found_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is installed must not come before Python's own of the same name."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(site, "getsitepackages", lambda: [HERE])
    assert {} == offspring.importable()


def test_it_has_no_variable_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold passwords; and what a process needs to run is passed on."""
    monkeypatch.setenv("VENDGATE_DATABASE__URL", "postgresql://u:secret@db/x")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    passed_on = offspring.environment()
    assert "VENDGATE_DATABASE__URL" not in passed_on
    assert "C.UTF-8" == passed_on["LC_ALL"]
