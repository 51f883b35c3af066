"""Ray's folder is fresh, private and held; another's is neither used nor removed."""

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from actors import session_folder
from actors.session_folder import KEPT, FolderRefused, open_session

LONG = "a-name-that-is-too-long-for-a-socket"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The system's folder for temporary files, of this test alone."""
    shared = tmp_path / "tmp"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    return shared


def test_it_is_new_and_for_us_alone(tmp_path: Path, short: Path) -> None:
    """Each start has its own folder, which nobody else may enter; so has the installation."""
    run_dir = tmp_path / LONG / "run"
    first, second = open_session(run_dir), open_session(run_dir)
    assert first.path != second.path
    assert {short} == {first.path.parent, second.path.parent}
    for path in (run_dir, first.path, second.path):
        assert 0o700 == stat.S_IMODE(path.stat().st_mode)
    first.release()
    second.release()


def test_an_orderly_end_leaves_nothing(tmp_path: Path, short: Path) -> None:
    """Nor does it keep the next start waiting."""
    open_session(tmp_path / LONG / "run").remove()
    assert [] == list(short.iterdir())


def test_it_lies_in_the_run_directory_where_sockets_fit(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a path that is too long for a socket goes elsewhere."""
    monkeypatch.setattr(session_folder, "PATH_BYTES_MAX", 4_096)
    session = open_session(tmp_path / "run")
    assert tmp_path / "run" == session.path.parent
    assert [] == list(short.iterdir())
    session.release()


def test_the_length_of_a_path_is_counted_in_bytes(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the kernel counts a socket's, so that a folder may have a name in any tongue."""
    run_dir = tmp_path / "\N{CHOCOLATE BAR}"
    with_session = run_dir / "vendgate-ray-12345678"
    monkeypatch.setattr(session_folder, "PATH_BYTES_MAX", len(str(with_session)))
    session = open_session(run_dir)
    assert short == session.path.parent
    session.release()


def test_the_folder_of_another_user_is_refused(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made it may read what is put into it, or put something else in its place."""
    (tmp_path / "run").mkdir(mode=0o777)
    somebody_else = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody_else)
    with pytest.raises(FolderRefused, match="name a folder of its own"):
        open_session(tmp_path / "run")
    assert [] == list(short.iterdir())


def test_old_sessions_go_and_those_that_live_stay(tmp_path: Path, short: Path) -> None:
    """A few are kept for their logs. One that is held is never removed, however old, and neither
    is another installation's.
    """
    other = open_session(tmp_path / LONG / "other")
    other.release()
    mine = tmp_path / LONG / "mine"
    alive = open_session(mine)
    dead = []
    for second in range(KEPT + 2):
        session = open_session(mine)
        session.release()
        os.utime(session.path, (second, second))  # a kernel may give two the same time
        dead.append(session.path)
    newest = open_session(mine)
    left = set(short.iterdir())
    assert left == {alive.path, newest.path, other.path, *dead[-KEPT + 1 :]}
    alive.release()
    newest.release()


def test_a_session_is_over_when_its_process_is(tmp_path: Path, short: Path) -> None:
    """However it ended: the kernel lets go of the lock."""
    program = (
        "import os, sys, tempfile\nfrom pathlib import Path\n"
        "from actors.session_folder import open_session\n"
        "tempfile.tempdir = sys.argv[2]\n"
        "print(open_session(Path(sys.argv[1])).path, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    run_dir = tmp_path / LONG / "run"
    killed = subprocess.run(
        [sys.executable, "-c", program, str(run_dir), str(short)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ).stdout.strip()
    assert Path(killed).is_dir()
    sessions = [open_session(run_dir) for _ in range(KEPT)]
    assert Path(killed).is_dir()
    for session in sessions:
        session.release()
    open_session(run_dir).release()
    assert not Path(killed).exists()


def test_sessions_of_an_installation_that_is_gone_go(tmp_path: Path, short: Path) -> None:
    """All of them, but for one that is held, and one in which a process still lives."""
    gone = tmp_path / LONG / "gone"
    alive, lived_in, dead = open_session(gone), open_session(gone), open_session(gone)
    lived_in.release()
    dead.release()
    gone.rmdir()
    with subprocess.Popen(["cat"], cwd=lived_in.path, stdin=subprocess.PIPE):
        here = open_session(tmp_path / LONG / "here")
        assert {alive.path, lived_in.path, here.path} == set(short.iterdir())
    open_session(tmp_path / LONG / "here").remove()
    assert {alive.path, here.path} == set(short.iterdir())
    alive.release()
    here.release()


def test_what_only_looks_like_a_session_is_left_alone(tmp_path: Path, short: Path) -> None:
    """A link, a file, a folder without a lock: not ours to remove."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("x")
    (short / "vendgate-ray-link").symlink_to(elsewhere)
    (short / "vendgate-ray-file").write_text("x")
    (short / "vendgate-ray-empty").mkdir()
    for _ in range(KEPT + 2):
        open_session(tmp_path / LONG / "run").release()
    assert {"vendgate-ray-link", "vendgate-ray-file", "vendgate-ray-empty"} <= {
        path.name for path in short.iterdir()
    }
    assert "x" == (elsewhere / "precious").read_text()
