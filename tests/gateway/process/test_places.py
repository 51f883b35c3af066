"""A place that cannot be made or written is told with what to do."""

import socket
from pathlib import Path

import pytest

from gateway.process.places import why_no_folder, why_no_log, why_no_socket


def test_a_folder_that_can_be_made_is_none_to_speak_of(tmp_path: Path) -> None:
    """At any depth; a file in its way is named."""
    assert "" == why_no_folder(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    assert f"{tmp_path / 'file'} is no folder; name one, which the gateway may make" == (
        why_no_folder(tmp_path / "file" / "b")
    )


def test_a_log_needs_its_folder(tmp_path: Path) -> None:
    """Which is not made for it; a folder is no file."""
    assert "" == why_no_log(tmp_path / "log")
    assert f"{tmp_path} is a folder; name a file in it" == why_no_log(tmp_path)
    assert f"{tmp_path / 'no'} is no folder; make it, or name another" == (
        why_no_log(tmp_path / "no" / "log")
    )


def test_a_socket_needs_room_for_its_name_and_a_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is there is none to speak of: a gateway serves it, or left it behind."""
    monkeypatch.chdir(tmp_path)  # pytest's own folders may be too long for a socket
    there = Path("admin.sock")
    assert "" == why_no_socket(there)
    with socket.socket(socket.AF_UNIX) as served:
        served.bind(str(there))
    assert "" == why_no_socket(there)
    assert f"{tmp_path} is something else; name another path" == why_no_socket(tmp_path)
    assert "no is no folder; make it, or name another" == why_no_socket(Path("no/admin.sock"))
    assert "/proc keeps no files; name another place" == why_no_socket(Path("/proc/admin.sock"))
    long = Path("\N{CHOCOLATE BAR}" * 27)
    assert f"{long} has more than 107 bytes; name a shorter path" == why_no_socket(long)
