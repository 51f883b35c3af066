"""What is kept in files takes the place of what was in use."""

import asyncio
from pathlib import Path

from structlog.testing import capture_logs

from gateway.process.files import marks_of
from gateway.process.refusals import SettingsRefused
from gateway.process.rotation import Rotating, follow
from tests.support.patience import HANGS_AFTER_S


def exchange(path: Path, text: str) -> None:
    """Put a new file in the place of the old one: nobody sees half of it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


class Secret:
    """A file, what is used of it, and how often it was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.used: asyncio.Queue[str] = asyncio.Queue()
        self.reads: asyncio.Queue[None] = asyncio.Queue()

    def read(self) -> str:
        """Return what is in the file; "bad" cannot be used."""
        text = self.path.read_text()
        if text == "bad":
            raise SettingsRefused(("It is bad.",))
        return text

    def use(self, text: str) -> None:
        self.used.put_nowait(text)

    async def next(self) -> str:
        async with asyncio.timeout(HANGS_AFTER_S):
            return await self.used.get()


async def test_a_changed_file_is_used_and_a_bad_one_waits(tmp_path: Path) -> None:
    """It is said once why it cannot be used; as soon as it can be, it is. What did not change is
    not read again.
    """
    secret = Secret(tmp_path / "secret")
    secret.path.write_text("first")
    refused = asyncio.Event()
    tries = 0

    def read() -> str:
        nonlocal tries
        tries += 1
        if tries == 3:
            loop.call_soon_threadsafe(refused.set)
        return secret.read()

    loop = asyncio.get_running_loop()
    rotating = Rotating.of((secret.path, None), read)
    with capture_logs() as logs:
        following = asyncio.create_task(follow(rotating, secret.use, every_s=0.001))
        exchange(secret.path, "second one")
        assert "second one" == await secret.next()
        exchange(secret.path, "bad")
        async with asyncio.timeout(HANGS_AFTER_S):
            await refused.wait()
        exchange(secret.path, "the third")
        assert "the third" == await secret.next()
        following.cancel()
    assert [("It is bad.",)] == [entry["problems"] for entry in logs if "problems" in entry]
    assert secret.used.empty()


async def test_what_nobody_foresaw_does_not_end_the_looking(tmp_path: Path) -> None:
    """It is said once, and the next secret that can be used is."""
    path, tries = tmp_path / "secret", 0
    path.write_text("first")
    used: asyncio.Queue[str] = asyncio.Queue()

    def read() -> str:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise RuntimeError("a key of a kind that nobody knows")
        return path.read_text()

    with capture_logs() as logs:
        rotating = Rotating.of((path,), read)
        following = asyncio.create_task(follow(rotating, used.put_nowait, every_s=0.001))
        exchange(path, "second one")
        async with asyncio.timeout(HANGS_AFTER_S):
            assert "second one" == await used.get()
        following.cancel()
    assert ["error", "info"] == [entry["log_level"] for entry in logs]


def test_marks_tell_files_apart(tmp_path: Path) -> None:
    """One that is put in the place of another, one that is written on, one
    that others may read, and one that is gone.
    """
    path, new = tmp_path / "one", tmp_path / "new"
    path.write_text("x")
    seen = [marks_of([path])]
    new.write_text("x")
    new.replace(path)
    seen.append(marks_of([path]))
    path.write_text("xy")
    seen.append(marks_of([path]))
    path.chmod(0o640)
    seen.append(marks_of([path]))
    path.unlink()
    seen.append(marks_of([path]))
    assert 5 == len({tuple(marks) for marks in seen})
