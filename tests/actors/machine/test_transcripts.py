"""The behaviour of the core in a form that can be read aloud: one file a story, compared word for
word.

``VENDGATE_REWRITE=1`` writes the present reactions into the files. Commit such a change only if you
understand the difference.
"""

import os
from pathlib import Path

import pytest

from tests.support.transcript import play

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


def test_there_are_transcripts() -> None:
    """An empty folder would prove nothing."""
    assert TRANSCRIPTS


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_the_core_still_tells_the_same_story(path: Path) -> None:
    """Every line of the script has exactly the reaction that is written under it."""
    written = path.read_text()
    played = play(written)
    if os.environ.get("VENDGATE_REWRITE"):
        path.write_text(played)
    assert written == played
