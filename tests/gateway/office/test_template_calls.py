"""Templates are made, changed under their etag, archived, and refused with all that is wrong."""

import grpc

from gateway.office.v1 import planogram_pb2
from gateway.office.v1 import planogram_service_pb2 as wire
from tests.gateway.office.applying import applied, listed, made, products, template
from tests.support.fleet_calls import refusal
from tests.support.site import Site


async def test_a_template_is_changed_under_its_etag_and_archived(site: Site) -> None:
    """Whole; an etag that is outdated is refused, and so is applying one that is archived."""
    await products(site, "cola")
    one = await made(site, 600)
    assert (one, "1") == (await made(site, 600), one.etag)
    change = wire.UpdatePlanogramTemplateRequest(template=template(700), etag="1")
    two = (await site.planograms.UpdatePlanogramTemplate(change)).template
    assert (700, "2") == (two.columns[0].price_minor, two.etag)
    change.template.columns[0].price_minor = 800
    _, reason, _ = await refusal(site.planograms.UpdatePlanogramTemplate(change))
    assert "ETAG_OUTDATED" in reason or "ETAG" in reason
    archive = wire.ArchivePlanogramTemplateRequest(template="summer", reason="autumn")
    assert (await site.planograms.ArchivePlanogramTemplate(archive)).template.HasField(
        "archived_at"
    )
    await site.register("VM-1")
    code, reason, _ = await refusal(applied(site))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "TEMPLATE_ARCHIVED") == (code, reason)
    empty = await site.planograms.ListPlanogramTemplates(wire.ListPlanogramTemplatesRequest())
    assert [] == list(empty.templates)
    restore = wire.RestorePlanogramTemplateRequest(template="summer")
    three = (await site.planograms.RestorePlanogramTemplate(restore)).template
    shown = await site.planograms.ListPlanogramTemplates(wire.ListPlanogramTemplatesRequest())
    assert [three] == list(shown.templates)
    get = wire.GetPlanogramTemplateRequest(template="summer")
    assert three == (await site.planograms.GetPlanogramTemplate(get)).template


async def test_all_that_is_wrong_with_a_template_is_said_at_once(site: Site) -> None:
    """A price from nowhere, a column twice, a par that does not fit; a currency only if a price
    list makes it wrong, because a price that is missing needs one.
    """
    wrong = template(None, price_list="")
    wrong.columns.append(planogram_pb2.TemplateColumn(column="A1", product="", capacity=0, par=3))
    wrong.columns[0].par = 11
    wrong.currency = "HKD"
    request = wire.CreatePlanogramTemplateRequest(template=wrong)
    code, _, fields = await refusal(site.planograms.CreatePlanogramTemplate(request))
    assert grpc.StatusCode.INVALID_ARGUMENT == code
    assert [
        "template.columns[0].par",
        "template.columns[0].price_minor",
        "template.columns[1].capacity",
        "template.columns[1].column",
        "template.columns[1].price_minor",
        "template.columns[1].product",
    ] == sorted(fields)
    listed_price = template(None, price_list="city")
    listed_price.currency = "HKD"
    request = wire.CreatePlanogramTemplateRequest(template=listed_price)
    _, _, fields = await refusal(site.planograms.CreatePlanogramTemplate(request))
    assert ["template.currency"] == fields


async def test_what_a_template_names_is_there(site: Site) -> None:
    """Its products in the catalogue, its price list among the lists."""
    request = wire.CreatePlanogramTemplateRequest(template=template())
    assert (
        "UNKNOWN_PRODUCTS" == (await refusal(site.planograms.CreatePlanogramTemplate(request)))[1]
    )
    await products(site, "cola")
    request = wire.CreatePlanogramTemplateRequest(template=template(None))
    _, reason, _ = await refusal(site.planograms.CreatePlanogramTemplate(request))
    assert "PRICE_LIST_NOT_FOUND" == reason
    await listed(site, 650)
    assert "city" == (await made(site, None)).price_list
