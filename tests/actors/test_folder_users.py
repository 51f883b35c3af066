"""Who uses a folder is found, and who was left writing there is ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from actors.folder_users import end_writers_of, users_of
from tests.support.patience import HANGS_AFTER_S

OPENS = "import sys; f = open(sys.argv[1], sys.argv[2]); print(1, flush=True); input()"


@pytest.mark.parametrize("how", ["reads", "stands", "named", "an option"])
def test_its_users_are_found(tmp_path: Path, how: str) -> None:
    """By a file, by their place, by an argument; and nobody is ended who does not write."""
    mine, other = tmp_path / "session", tmp_path / "session2"
    for folder in (mine, other):
        folder.mkdir()
        (folder / "log").touch()
    path = mine if how == "reads" else other
    named = {"named": [f"{mine}/log"], "an option": [f"--temp-dir={mine}"]}.get(how, [])
    with subprocess.Popen(
        [sys.executable, "-c", OPENS, f"{path}/log", "r", *named],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=mine if how == "stands" else other,
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        assert [user.pid] == users_of(mine)
        assert [] == end_writers_of(mine, within_s=HANGS_AFTER_S)
        assert user.poll() is None
        user.kill()
    assert [] == users_of(mine)


@pytest.mark.parametrize("stranger", [False, True])
def test_who_writes_there_is_ended(tmp_path: Path, stranger: bool) -> None:
    """If it is of our session, as what we have started is; not if it is of another one."""
    (tmp_path / "session").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", OPENS, f"{tmp_path}/session/log", "a"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=stranger,
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        assert [] == end_writers_of(tmp_path / "session", within_s=HANGS_AFTER_S)
        assert user.poll() is None if stranger else -9 == user.wait()
        user.kill()


def test_one_does_not_find_oneself(tmp_path: Path) -> None:
    """Whatever one has open."""
    with (tmp_path / "log").open("w"):
        assert [] == users_of(tmp_path)
        assert [] == end_writers_of(tmp_path, within_s=0)
    assert os.getpid() not in users_of(Path("/"))
