"""The changing calls about tags: each request is checked whole, then made as a deed."""

import json
from dataclasses import dataclass

from actors.ports import Clock
from alipay_client.currencies import SETTLED
from gateway.fleet.act import Act
from gateway.fleet.caller import named
from gateway.office.errors import deed_of, in_words
from gateway.office.fields import OfficeFields
from gateway.office.v1 import tag_service_pb2 as wire
from storage.insight import tag_rules
from storage.insight.starters import STARTERS
from storage.insight.tags import RuleContent, Tags, TagVersion

RULE_LENGTH_MAX = 8_000
PURCHASES_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCalls:
    """One method for each call."""

    tags: Tags
    clock: Clock

    async def create(self, request: wire.CreateTagRequest, act: Act) -> TagVersion:
        """CreateTag."""
        fields = OfficeFields().tag(request.tag)
        told = request.rule
        if not told.rule:
            told = _starter(fields, request.tag, told)
        content = _content(fields, told)
        fields.reason(request.reason, needed=True).done()
        with in_words():
            return await self.tags.create(
                request.tag,
                content,
                deed_of(named(act), "CreateTag", self.clock),
                by=act.actor,
                reason=request.reason,
            )

    async def update(self, request: wire.UpdateTagRequest, act: Act) -> TagVersion:
        """UpdateTag."""
        fields = OfficeFields().tag(request.tag)
        content = _content(fields, request.rule)
        fields.reason(request.reason, needed=True).done()
        with in_words():
            return await self.tags.change(
                request.tag,
                request.version,
                content,
                deed_of(named(act), "UpdateTag", self.clock),
                by=act.actor,
                reason=request.reason,
            )

    async def retire(self, request: wire.RetireTagRequest, act: Act) -> TagVersion:
        """RetireTag."""
        fields = OfficeFields().tag(request.tag)
        fields.reason(request.reason, needed=True).done()
        with in_words():
            return await self.tags.retire(
                request.tag,
                deed_of(named(act), "RetireTag", self.clock),
                reason=request.reason,
            )


def _starter(fields: OfficeFields, tag: str, told: wire.TagRule) -> wire.TagRule:
    starter = STARTERS.get(tag)
    if starter is None:
        fields.wrong("rule.rule", f"must be given: only {', '.join(STARTERS)} have one by name")
        return told
    return wire.TagRule(
        rule=json.dumps(starter.rule),
        purchases_min=told.purchases_min or starter.purchases_min,
        currency=told.currency,
    )


def _content(fields: OfficeFields, told: wire.TagRule) -> RuleContent:
    """Return what a rule says, in its one text; what is wrong with it is noted."""
    least = told.purchases_min or 1
    if not 1 <= least <= PURCHASES_MAX:
        fields.wrong("rule.purchases_min", f"must be 1 to {PURCHASES_MAX}")
    if len(told.rule) > RULE_LENGTH_MAX:
        fields.wrong("rule.rule", f"must have at most {RULE_LENGTH_MAX} letters")
        return RuleContent(rule="", purchases_min=least, currency=told.currency)
    try:
        rule = tag_rules.read(told.rule)
    except tag_rules.RuleWrong as error:
        fields.wrong("rule.rule", str(error))
        return RuleContent(rule="", purchases_min=least, currency=told.currency)
    if tag_rules.asks_for_money(rule):
        if told.currency not in SETTLED:
            fields.wrong("rule.currency", "must say whose money counts, for example HKD")
    elif told.currency:
        fields.wrong("rule.currency", "must be empty: no money counts in this rule")
    return RuleContent(rule=tag_rules.written(rule), purchases_min=least, currency=told.currency)
