"""What people do in the past, each by a call of the office: they take a fleet in, write the rules
of tags, and try a price.

Flows in: a plan. Flows out: requests, in the order in which they are made. Pure.
"""

import datetime as dt
from collections.abc import Iterator

from google.protobuf.message import Message

from gateway.demo import stage
from gateway.office.v1 import (
    experiment_pb2,
    experiment_service_pb2,
    machine_profile_service_pb2,
    place_pb2,
    place_service_pb2,
    product_pb2,
    product_service_pb2,
    selector_pb2,
    tag_service_pb2,
)
from gateway.past.plan import (
    ACKNOWLEDGED_WITHIN_H,
    CATEGORIES,
    COSTS_MINOR,
    DISTRICTS,
    TRIAL,
    TRIED_MINOR,
    ZONE,
    PastPlan,
)
from gateway.v1 import money_pb2

TAGS = ("NEW", "REGULAR", "LAPSED", "MORNING", "LUNCH", "EVENING")
"""The starters that a small fleet can fill."""
REASON = "the demo's past"


def opening(plan: PastPlan, today: dt.date) -> Iterator[Message]:
    """Take the fleet in, on its first day."""
    for product, minor in COSTS_MINOR.items():
        yield product_service_pb2.CreateProductRequest(
            product=product_pb2.Product(
                code=product,
                names={"en": product},
                category=CATEGORIES[product],
                unit_cost=money_pb2.Money(currency=stage.CURRENCY, minor=minor),
            )
        )
    for district in DISTRICTS:
        yield place_service_pb2.CreateDistrictRequest(
            district=place_pb2.District(code=district.code, name=district.name)
        )
    for place in plan.places:
        yield place_service_pb2.CreateSiteRequest(
            site=place_pb2.Site(
                code=place.site,
                name=place.name,
                district=place.district.code,
                type=place.kind.number,
                position=place_pb2.Position(
                    latitude_e6=place.latitude_e6, longitude_e6=place.longitude_e6
                ),
                time_zone=ZONE,
            )
        )
    for number, place in enumerate(plan.places):
        yield stage.registration(place.machine_id, number)
        yield machine_profile_service_pb2.PlaceMachineRequest(
            machine_id=place.machine_id, site=place.site, from_day=today.isoformat()
        )


def tags() -> Iterator[Message]:
    """Write the rules of some tags."""
    for tag in TAGS:
        yield tag_service_pb2.CreateTagRequest(tag=tag, reason=REASON)


def trial(plan: PastPlan) -> Iterator[Message]:
    """Try cheaper drinks."""
    prices = [
        experiment_pb2.TriedPrice(product=product, price_minor=minor)
        for product, minor in TRIED_MINOR.items()
    ]
    yield experiment_service_pb2.CreateExperimentRequest(
        code=TRIAL,
        content=experiment_pb2.ExperimentContent(
            hypothesis="Cheaper drinks bring people who would walk by",
            channel=experiment_pb2.EXPERIMENT_CHANNEL_PRICE,
            design=experiment_pb2.EXPERIMENT_DESIGN_SWITCHBACK,
            measure=experiment_pb2.EXPERIMENT_MEASURE_UNITS,
            currency=stage.CURRENCY,
            selector=selector_pb2.Selector(all=True),
            days=plan.trial_days,
            pre_days=plan.pre_days,
            acknowledged_within_h=ACKNOWLEDGED_WITHIN_H,
            sought_permille=plan.sought_permille,
            prices=prices,
            forced_reason=plan.forced_reason,
        ),
    )
    yield experiment_service_pb2.StartExperimentRequest(code=TRIAL)
