"""Comments in protos are part of the protocol: each says what it says once."""

import re
from itertools import groupby

from tests.architecture.house import ROOT

WORDS_MIN = 4
"""A shorter sentence ("At most 64 bytes.") may stand twice."""


def _comments(text: str) -> list[str]:
    """Return the comments, each as one text."""
    lines = [line.strip() for line in text.splitlines()]
    blocks = groupby(lines, key=lambda line: line.startswith("//"))
    return [" ".join(line[2:].strip() for line in block) for is_said, block in blocks if is_said]


def _twice(comment: str) -> set[str]:
    sentences = [each.strip() for each in re.split(r"(?<=[.!?:]) ", comment)]
    said = [each for each in sentences if len(each.split()) >= WORDS_MIN]
    return {each for each in said if said.count(each) > 1}


def test_no_comment_says_a_sentence_twice() -> None:
    """It does where two comments were run together: who reads ``ack`` is told about ``seq``."""
    found = {
        f"{path.name}: {sentence}"
        for path in (ROOT / "protos").rglob("*.proto")
        for comment in _comments(path.read_text())
        for sentence in _twice(comment)
    }

    assert set() == found
