"""All services of the back office: their files, and what serves them."""

from typing import cast

import grpc.aio
from google.protobuf.descriptor import FileDescriptor

from gateway.fleet import services as fleet_services
from gateway.office.application_calls import ApplicationCalls
from gateway.office.audit_data import AuditDataService
from gateway.office.command_calls import CommandCalls
from gateway.office.commands import CommandService
from gateway.office.denials import DenialCalls, DenialService
from gateway.office.experiments import ExperimentService
from gateway.office.goods import GoodsService
from gateway.office.import_calls import ImportCalls
from gateway.office.incidents import IncidentService
from gateway.office.machine_certificates import MachineCertificateService
from gateway.office.machine_imports import MachineImportService
from gateway.office.offers import OfferService
from gateway.office.parts import OfficeParts, new_token
from gateway.office.places import PlaceService
from gateway.office.planograms import PlanogramService
from gateway.office.posters import PosterService
from gateway.office.prices import PriceService
from gateway.office.products import ProductService
from gateway.office.profiles import MachineProfileService
from gateway.office.recall_calls import RecallCalls
from gateway.office.recalls import RecallService
from gateway.office.sales import SalesService
from gateway.office.screens import ScreenService
from gateway.office.stock import StockService
from gateway.office.tags import TagService
from gateway.office.v1 import (
    audit_data_service_pb2,
    audit_data_service_pb2_grpc,
    command_service_pb2,
    command_service_pb2_grpc,
    denial_service_pb2,
    denial_service_pb2_grpc,
    experiment_service_pb2,
    experiment_service_pb2_grpc,
    goods_service_pb2,
    goods_service_pb2_grpc,
    incident_service_pb2,
    incident_service_pb2_grpc,
    machine_certificate_service_pb2,
    machine_certificate_service_pb2_grpc,
    machine_import_service_pb2,
    machine_import_service_pb2_grpc,
    machine_profile_service_pb2,
    machine_profile_service_pb2_grpc,
    offer_service_pb2,
    offer_service_pb2_grpc,
    place_service_pb2,
    place_service_pb2_grpc,
    planogram_service_pb2,
    planogram_service_pb2_grpc,
    poster_service_pb2,
    poster_service_pb2_grpc,
    price_service_pb2,
    price_service_pb2_grpc,
    product_service_pb2,
    product_service_pb2_grpc,
    recall_service_pb2,
    recall_service_pb2_grpc,
    sales_service_pb2,
    sales_service_pb2_grpc,
    screen_service_pb2,
    screen_service_pb2_grpc,
    stock_service_pb2,
    stock_service_pb2_grpc,
    tag_service_pb2,
    tag_service_pb2_grpc,
    visit_service_pb2,
    visit_service_pb2_grpc,
    voucher_service_pb2,
    voucher_service_pb2_grpc,
)
from gateway.office.visits import VisitService
from gateway.office.vouchers import VoucherService

FILES = (
    *fleet_services.FILES,
    *(
        cast("FileDescriptor", file.DESCRIPTOR)
        for file in (
            product_service_pb2,
            price_service_pb2,
            goods_service_pb2,
            visit_service_pb2,
            stock_service_pb2,
            place_service_pb2,
            machine_profile_service_pb2,
            machine_import_service_pb2,
            incident_service_pb2,
            audit_data_service_pb2,
            recall_service_pb2,
            planogram_service_pb2,
            command_service_pb2,
            poster_service_pb2,
            denial_service_pb2,
            machine_certificate_service_pb2,
            screen_service_pb2,
            sales_service_pb2,
            tag_service_pb2,
            experiment_service_pb2,
            offer_service_pb2,
            voucher_service_pb2,
        )
    ),
)
"""One file for each service of administrators, the fleet's too."""
METHODS = tuple(
    method
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods_by_name
)
"""Every call of administrators, by its name."""


def add_services(parts: OfficeParts, server: grpc.aio.Server) -> None:
    """Let the server answer all calls of administrators, the fleet's too."""
    fleet_services.add_services(parts.fleet, server)
    product_service_pb2_grpc.add_ProductServiceServicer_to_server(
        ProductService(parts.fleet, parts.products), server
    )
    price_service_pb2_grpc.add_PriceServiceServicer_to_server(
        PriceService(parts.fleet, parts.prices, parts.price_files), server
    )
    goods_service_pb2_grpc.add_GoodsServiceServicer_to_server(
        GoodsService(parts.fleet, parts.goods, parts.reversals, parts.lots, parts.locks), server
    )
    visit_service_pb2_grpc.add_VisitServiceServicer_to_server(
        VisitService(parts.fleet, parts.visits), server
    )
    stock_service_pb2_grpc.add_StockServiceServicer_to_server(
        StockService(parts.fleet, parts.pars, parts.stock_lists, parts.selectors, parts.shrinkage),
        server,
    )
    place_service_pb2_grpc.add_PlaceServiceServicer_to_server(
        PlaceService(parts.fleet, parts.districts, parts.sites), server
    )
    machine_profile_service_pb2_grpc.add_MachineProfileServiceServicer_to_server(
        MachineProfileService(parts.fleet, parts.profiles, parts.stays, parts.selectors), server
    )
    incident_service_pb2_grpc.add_IncidentServiceServicer_to_server(
        IncidentService(parts.fleet, parts.incidents, parts.locks), server
    )
    audit_data_service_pb2_grpc.add_AuditDataServiceServicer_to_server(
        AuditDataService(parts.fleet, parts.audit_data, parts.readouts), server
    )
    calls = ImportCalls(
        imports=parts.imports,
        sites=parts.sites,
        profiles=parts.profiles,
        stays=parts.stays,
        acts=parts.fleet.acts,
        begun=parts.importing.wake,
        new_id=new_token,
    )
    machine_import_service_pb2_grpc.add_MachineImportServiceServicer_to_server(
        MachineImportService(parts.fleet, calls, parts.imports, parts.profiles, parts.selectors),
        server,
    )
    recall_calls = RecallCalls(
        recalls=parts.recalls,
        locks=parts.locks,
        clock=parts.fleet.acts.clock,
        begun=parts.recalling.wake,
        new_id=new_token,
    )
    recall_service_pb2_grpc.add_RecallServiceServicer_to_server(
        RecallService(parts.fleet, recall_calls, parts.recalls, parts.locks), server
    )
    applying = ApplicationCalls(
        applications=parts.applications,
        templates=parts.templates,
        selectors=parts.selectors,
        pars=parts.pars,
        acts=parts.fleet.acts,
        begun=parts.applying.wake,
        new_id=new_token,
    )
    planogram_service_pb2_grpc.add_PlanogramServiceServicer_to_server(
        PlanogramService(
            parts.fleet, parts.convergence, parts.templates, parts.applications, applying
        ),
        server,
    )
    acts = parts.fleet.acts
    ordering = CommandCalls(
        registry=acts.registry,
        queries=acts.queries,
        answers=acts.answers,
        store=acts.store,
        commands=acts.commands,
        clock=acts.clock,
        command_timeout_s=acts.command_timeout_s,
        ordered=parts.commands,
        new_id=new_token,
    )
    command_service_pb2_grpc.add_CommandServiceServicer_to_server(
        CommandService(parts.fleet, ordering, parts.commands), server
    )
    poster_service_pb2_grpc.add_PosterServiceServicer_to_server(
        PosterService(parts.fleet, parts.posters), server
    )
    denial_service_pb2_grpc.add_DenialServiceServicer_to_server(
        DenialService(
            parts.fleet,
            DenialCalls(
                denials=parts.denials,
                clock=acts.clock,
                changed=parts.denying.wake,
                shown_here=parts.shown_here,
            ),
            parts.offenders,
        ),
        server,
    )
    machine_certificate_service_pb2_grpc.add_MachineCertificateServiceServicer_to_server(
        MachineCertificateService(parts.fleet, parts.enrolling, parts.certificates), server
    )
    screen_service_pb2_grpc.add_ScreenServiceServicer_to_server(
        ScreenService(parts.fleet, parts.showing, parts.screens), server
    )
    sales_service_pb2_grpc.add_SalesServiceServicer_to_server(
        SalesService(parts.fleet, parts.sales, parts.time, parts.funnels, parts.hot), server
    )
    tag_service_pb2_grpc.add_TagServiceServicer_to_server(
        TagService(parts.fleet, parts.tags, parts.payers), server
    )
    experiment_service_pb2_grpc.add_ExperimentServiceServicer_to_server(
        ExperimentService(parts.fleet, parts.trying, parts.guards), server
    )
    offer_service_pb2_grpc.add_OfferServiceServicer_to_server(
        OfferService(parts.fleet, parts.offering), server
    )
    voucher_service_pb2_grpc.add_VoucherServiceServicer_to_server(
        VoucherService(parts.fleet, parts.vouchers), server
    )
