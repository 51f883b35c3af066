"""A rule is a small tree, and what is wrong with one is said with its place."""

import json

import pytest

from storage.insight.starters import STARTERS
from storage.insight.tag_rules import (
    FEATURES,
    Compare,
    Every,
    Never,
    RuleWrong,
    Some,
    asks_for_money,
    read,
    written,
)

FOUR = '{"feature":"purchase_days_28","at_least":4}'


def test_a_rule_is_read_and_written() -> None:
    """In its one text."""
    text = f'{{"all":[{FOUR},{{"any":[{{"not":{FOUR}}}]}}]}}'
    four = Compare("purchase_days_28", "at_least", 4)
    assert Every((four, Some((Never(four),)))) == read(text)
    assert text == written(read(text))
    share = '{"feature":"category_share_90","at_least":50,"of":"零食"}'
    assert share == written(read(share))


def test_starters_can_be_read() -> None:
    """All of them, and two of them ask for money."""
    rules = {name: read(json.dumps(one.rule)) for name, one in STARTERS.items()}
    assert ["BIG_BASKET", "CHAMPION"] == [
        name for name, rule in rules.items() if asks_for_money(rule)
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[" * 10_000, "no JSON"),
        (f'{{"feature":"visits_90","at_least":{"1" * 5_000}}}', "no JSON"),
        ('{"feature":"category_share_90","at_least":1,"of":"\\ud800"}', "must be a category"),
        ('{"feature":"category_share_90","at_least":1,"of":"\\u0000"}', "must be a category"),
        ("[]", "rule must be an object"),
        ("{}", "one of"),
        ('{"all":[],"any":[]}', "one of"),
        ('{"all":[]}', "rule.all must be a list"),
        ('{"all":{}}', "rule.all must be a list"),
        ('{"any":[{"not":{"feature":"age","at_least":1}}]}', "rule.any[0].not.feature"),
        ('{"feature":"visits_90"}', "must have one of"),
        ('{"feature":"visits_90","at_least":1,"at_most":2}', "must have one of"),
        ('{"feature":"visits_90","at_least":1,"sex":"f"}', "nothing unknown"),
        ('{"feature":"visits_90","at_least":-1}', "whole number"),
        ('{"feature":"visits_90","at_least":true}', "whole number"),
        ('{"feature":"visits_90","at_least":1.5}', "whole number"),
        ('{"feature":"visits_90","at_least":1,"of":"x"}', "has a category"),
        ('{"feature":"category_share_90","at_least":1}', "has a category"),
        ('{"feature":"category_share_90","at_least":1,"of":7}', "must be a category"),
        ('{"not":' * 7 + FOUR + "}" * 7, "deeper"),
        (f'{{"all":[{",".join([FOUR] * 40)}]}}', "more than 40"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    """For whoever writes it."""
    with pytest.raises(RuleWrong) as raised:
        read(text)
    assert said in str(raised.value)


def test_no_feature_says_who_somebody_is() -> None:
    """They say what was bought, when and where."""
    assert not {"age", "sex", "income"} & {part for name in FEATURES for part in name.split("_")}
