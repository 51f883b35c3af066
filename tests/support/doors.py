"""Doors of administrators for tests: one that asks nobody, and the product's own before a site."""

from typing import Any

import grpc.aio

from gateway.office.services import FILES
from gateway.rpc.roles import RolesOf
from gateway.trust.door import AdminDoor, looks_of, roles_of
from gateway.trust.people import People
from tests.support.site import Site


class OpenDoor(grpc.aio.ServerInterceptor):
    """Lets everybody in, for tests of what is behind it."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        return await continuation(handler_call_details)


def a_door(site: Site, rules: RolesOf) -> AdminDoor:
    """The product's door before a site, with these rules."""
    return AdminDoor(
        people=People(rules=rules, clock=site.clock),
        needed=roles_of(FILES),
        looks=looks_of(FILES),
        registry=site.registry,
        calls=site.metrics.admin_calls,
        clock=site.clock,
    )
