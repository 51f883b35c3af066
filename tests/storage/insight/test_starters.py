"""What the page says of starters is what they are."""

import json
from pathlib import Path

from storage.insight.starters import STARTERS
from storage.insight.tag_rules import FEATURES

PAGE = (Path(__file__).parents[3] / "docs" / "admin.md").read_text()


def test_the_page_has_each_starter_word_for_word() -> None:
    """What it says, how much evidence it needs, and its rule."""
    for name, one in STARTERS.items():
        assert f"| `{name}` | {one.said} | {one.purchases_min} |" in PAGE
        assert json.dumps({name: one.rule}) in PAGE


def test_the_page_has_each_feature() -> None:
    """At least by what is different about it."""
    for feature in FEATURES:
        ending = "_".join(feature.split("_")[1:])
        assert f"`{feature}`" in PAGE or f"`_{ending}`" in PAGE or ending.split("_")[0] in PAGE
