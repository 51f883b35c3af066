"""The changing calls on planogram templates: each request is checked whole, then done.

Flows in: a request of ``gateway.office.v1`` and who asks. Flows out: the template, or CallRefused
with every problem of the request.
"""

from dataclasses import dataclass

from actors.machine.policy import AMOUNT_MINOR_MAX
from actors.ports import Clock
from gateway.fleet.act import Act
from gateway.fleet.requests import CAPACITY_MAX, COLUMN_BYTES_MAX, COLUMNS_MAX
from gateway.office.errors import deed_of, in_words
from gateway.office.fields import NAME_LENGTH_MAX, OfficeFields
from gateway.office.v1 import planogram_pb2
from gateway.office.v1 import planogram_service_pb2 as wire
from storage.office.templates import TemplateColumn, TemplateContent, Templates, TemplateView


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``."""

    templates: Templates
    clock: Clock

    async def create(self, request: wire.CreatePlanogramTemplateRequest, act: Act) -> TemplateView:
        """CreatePlanogramTemplate."""
        fields = OfficeFields()
        content = _content(fields, request.template)
        fields.done()
        deed = deed_of(act, "CreatePlanogramTemplate", self.clock)
        with in_words():
            return await self.templates.create(request.template.code, content, deed)

    async def update(self, request: wire.UpdatePlanogramTemplateRequest, act: Act) -> TemplateView:
        """UpdatePlanogramTemplate."""
        fields = OfficeFields()
        etag = fields.etag_of(request.etag, request.template.etag, field="template.etag")
        content = _content(fields, request.template)
        fields.done()
        deed = deed_of(act, "UpdatePlanogramTemplate", self.clock)
        with in_words():
            return await self.templates.update(request.template.code, content, deed, etag=etag)

    async def archive(
        self, request: wire.ArchivePlanogramTemplateRequest, act: Act
    ) -> TemplateView:
        """ArchivePlanogramTemplate."""
        fields = OfficeFields().product(request.template, field="template")
        fields.etag(request.etag).reason(request.reason).done()
        with in_words():
            return await self.templates.archive(
                request.template,
                deed_of(act, "ArchivePlanogramTemplate", self.clock),
                archived=True,
                etag=request.etag,
                why=request.reason,
            )

    async def restore(
        self, request: wire.RestorePlanogramTemplateRequest, act: Act
    ) -> TemplateView:
        """RestorePlanogramTemplate."""
        OfficeFields().product(request.template, field="template").etag(request.etag).done()
        with in_words():
            return await self.templates.archive(
                request.template,
                deed_of(act, "RestorePlanogramTemplate", self.clock),
                archived=False,
                etag=request.etag,
            )


def _content(fields: OfficeFields, template: planogram_pb2.PlanogramTemplate) -> TemplateContent:
    fields.product(template.code, field="template.code")
    fields.line("template.name", template.name, most=NAME_LENGTH_MAX)
    if template.price_list:
        fields.product(template.price_list, field="template.price_list")
    columns = template.columns
    if not 1 <= len(columns) <= COLUMNS_MAX:
        fields.wrong("template.columns", f"must be 1 to {COLUMNS_MAX}")
    else:
        _columns(fields, template)
    if any(one.HasField("price_minor") for one in columns):
        fields.currency(template.currency, field="template.currency")
    elif template.currency and template.price_list:
        fields.wrong("template.currency", "must be empty, because no column has a price of its own")
    return TemplateContent(
        name=template.name,
        price_list=template.price_list,
        currency=template.currency,
        columns=tuple(
            TemplateColumn(
                column=one.column,
                product=one.product,
                price_minor=one.price_minor if one.HasField("price_minor") else None,
                capacity=one.capacity,
                par=one.par if one.HasField("par") else None,
            )
            for one in columns
        ),
    )


def _columns(fields: OfficeFields, template: planogram_pb2.PlanogramTemplate) -> None:
    seen: set[str] = set()
    for index, one in enumerate(template.columns):
        place = f"template.columns[{index}]"
        fields.text(f"{place}.column", one.column, least=1, most=COLUMN_BYTES_MAX)
        if one.column in seen:
            fields.wrong(f"{place}.column", f"{one.column!r} is there twice")
        seen.add(one.column)
        fields.product(one.product, field=f"{place}.product")
        if one.HasField("price_minor"):
            if not 0 < one.price_minor <= AMOUNT_MINOR_MAX:
                fields.wrong(f"{place}.price_minor", f"must be 1 to {AMOUNT_MINOR_MAX}")
        elif not template.price_list:
            fields.wrong(f"{place}.price_minor", "must be there, because no price list says it")
        if not 1 <= one.capacity <= CAPACITY_MAX:
            fields.wrong(f"{place}.capacity", f"must be 1 to {CAPACITY_MAX}")
        elif one.HasField("par") and not 0 <= one.par <= one.capacity:
            fields.wrong(f"{place}.par", "must be 0 up to the capacity")
