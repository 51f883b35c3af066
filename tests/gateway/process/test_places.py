"""A place that cannot be made or written is told with what to do."""

from pathlib import Path

from gateway.process.places import why_no_folder, why_no_log


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
