"""All services of the back office: what they are made of, their files, and what serves them."""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Self, cast

import grpc.aio
from google.protobuf.descriptor import FileDescriptor

from gateway.fleet import services as fleet_services
from gateway.fleet.answering import Parts
from gateway.office.application_calls import ApplicationCalls
from gateway.office.application_lines import ApplicationLines
from gateway.office.audit_data import AuditDataService
from gateway.office.command_calls import CommandCalls
from gateway.office.commands import CommandService
from gateway.office.denials import DenialCalls, DenialService
from gateway.office.experiment_calls import ExperimentCalls
from gateway.office.experiment_worker import ExperimentWorker
from gateway.office.experiments import ExperimentService
from gateway.office.goods import GoodsService
from gateway.office.import_calls import ImportCalls
from gateway.office.import_sweep import ImportSweep
from gateway.office.import_worker import ImportWorker
from gateway.office.incidents import IncidentService
from gateway.office.line_acts import LineActs
from gateway.office.machine_certificates import MachineCertificateService, TokenCalls
from gateway.office.machine_imports import MachineImportService
from gateway.office.offer_calls import OfferCalls
from gateway.office.offers import OfferService
from gateway.office.places import PlaceService
from gateway.office.planograms import PlanogramService
from gateway.office.poster_calls import PosterCalls
from gateway.office.posters import PosterService
from gateway.office.prices import PriceService
from gateway.office.products import ProductService
from gateway.office.profiles import MachineProfileService
from gateway.office.recall_calls import RecallCalls
from gateway.office.recall_worker import RecallWorker
from gateway.office.recalls import RecallService
from gateway.office.sales import SalesService
from gateway.office.screen_calls import ScreenCalls
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
)
from gateway.office.visits import VisitService
from gateway.process.sections import Posters
from gateway.process.sections import Screens as ScreensSection
from gateway.rpc.denylist import Denylist
from gateway.rpc.offenders import Offenders
from gateway.screens.folder import AssetFolder
from gateway.trust.denying import Denying
from storage.database.engine import Database
from storage.experiments.arms import Arms
from storage.experiments.experiments import Experiments
from storage.experiments.foreseeing import Foreseeing
from storage.experiments.guarding import GuardBooks
from storage.experiments.measuring import Measuring
from storage.experiments.prices import TriedPrices
from storage.insight.funnels import FunnelBooks
from storage.insight.hot import HotBooks
from storage.insight.payer import PayerBooks
from storage.insight.sales import SalesBooks
from storage.insight.sellable import SellableBooks
from storage.insight.suppression import Gate
from storage.insight.tags import Tags
from storage.offers.offers import Offers
from storage.office.assets import Assets
from storage.office.audit_data import AuditData
from storage.office.certificates import Certificates
from storage.office.commands import Commands
from storage.office.convergence import Convergence
from storage.office.denials import Denials
from storage.office.districts import Districts
from storage.office.enrolment_tokens import EnrolmentTokens
from storage.office.goods import Goods
from storage.office.imports import ImportKind, Imports
from storage.office.incidents import Incidents
from storage.office.locks import Locks
from storage.office.lots import Lots
from storage.office.pars import Pars
from storage.office.playlists import Playlists
from storage.office.posters import PosterBooks
from storage.office.price_files import PriceFiles
from storage.office.prices import Prices
from storage.office.products import Products
from storage.office.profiles import Profiles
from storage.office.readouts import Readouts
from storage.office.recalls import Recalls
from storage.office.reversals import Reversals
from storage.office.screen_plans import ScreenPlans
from storage.office.screens import Screens
from storage.office.selectors import Selectors
from storage.office.shrinkage import Shrinkage
from storage.office.sites import Sites
from storage.office.stays import Stays
from storage.office.stock_lists import StockLists
from storage.office.templates import Templates
from storage.office.visits import Visits


def new_token() -> str:
    """Return a name that nothing else has."""
    return secrets.token_hex(8)


def new_key() -> str:
    """Return a key that nobody guesses."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeParts:
    """What the back office's services are made of. ``fleet``: what all administrators' services
    are.
    """

    fleet: Parts
    products: Products
    prices: Prices
    price_files: PriceFiles
    goods: Goods
    reversals: Reversals
    lots: Lots
    visits: Visits
    pars: Pars
    stock_lists: StockLists
    shrinkage: Shrinkage
    districts: Districts
    sites: Sites
    profiles: Profiles
    stays: Stays
    selectors: Selectors
    audit_data: AuditData
    readouts: Readouts
    imports: Imports
    importing: ImportWorker
    incidents: Incidents
    commands: Commands
    recalls: Recalls
    locks: Locks
    recalling: RecallWorker
    convergence: Convergence
    templates: Templates
    applications: Imports
    applying: ImportWorker
    sweeping: ImportSweep
    posters: PosterCalls
    denials: Denials
    shown_here: Callable[[str], Collection[str]]
    denying: Denying
    offenders: Offenders | None
    enrolling: TokenCalls
    certificates: Certificates
    showing: ScreenCalls
    screens: Screens
    sales: SalesBooks
    time: SellableBooks
    funnels: FunnelBooks
    hot: HotBooks
    tags: Tags
    payers: PayerBooks
    trying: ExperimentCalls
    guards: GuardBooks
    offering: OfferCalls
    experimenting: ExperimentWorker

    @classmethod
    def on(
        cls,
        database: Database,
        fleet: Parts,
        token: Callable[[], str] = new_token,
        posters: Posters | None = None,
        denied: Denylist | None = None,
        close_denied: Callable[[], None] = lambda: None,
        shown_here: Callable[[str], Collection[str]] = lambda _: (),
        asset_folder: AssetFolder | None = None,
        screens_changed: Callable[[], None] = lambda: None,
        enrolment: str = "",
        offenders: Offenders | None = None,
        gate: Gate | None = None,
    ) -> Self:
        """Return the parts over one database. ``token`` names what must be told apart from all
        others; ``posters`` says how posters look; ``denied`` is what this gateway knows of denials,
        ``close_denied`` closes what is open of those who are, ``shown_here`` tells which machines
        are here with a certificate of a number; ``asset_folder`` has what machines show, and
        ``screens_changed`` is told when they may have to show something else; ``enrolment`` is
        where machines are enrolled; ``offenders`` are those at their bounds;
        ``gate`` is what figures of payers go out through.
        """
        profiles, stays, imports = Profiles(database), Stays(database), Imports(database)
        recalls, locks, holder = Recalls(database), Locks(database), token()
        templates, pars = Templates(database), Pars(database)
        applications = Imports(database, ImportKind.PLANOGRAMS)
        denials, gate = Denials(database), gate or Gate()
        screens = Screens(database)
        experimenting = ExperimentWorker(
            arms=Arms(database),
            prices=TriedPrices(database),
            measuring=Measuring(database),
            screens=screens,
            acts=fleet.acts,
            clock=fleet.acts.clock,
            screens_changed=screens_changed,
        )
        return cls(
            fleet=fleet,
            products=Products(database),
            prices=Prices(database),
            price_files=PriceFiles(database),
            goods=Goods(database),
            reversals=Reversals(database),
            lots=Lots(database),
            visits=Visits(database),
            pars=pars,
            stock_lists=StockLists(database),
            shrinkage=Shrinkage(database),
            districts=Districts(database),
            sites=Sites(database),
            profiles=profiles,
            stays=stays,
            selectors=Selectors(database),
            audit_data=AuditData(database),
            readouts=Readouts(database),
            imports=imports,
            incidents=Incidents(database),
            commands=Commands(database),
            convergence=Convergence(database),
            templates=templates,
            applications=applications,
            importing=ImportWorker(
                imports=imports,
                lines=LineActs(acts=fleet.acts, profiles=profiles, stays=stays),
                clock=fleet.acts.clock,
                holder=holder,
            ),
            applying=ImportWorker(
                imports=applications,
                lines=ApplicationLines(acts=fleet.acts, templates=templates, pars=pars),
                clock=fleet.acts.clock,
                holder=holder,
            ),
            sweeping=ImportSweep(db=database, clock=fleet.acts.clock),
            posters=PosterCalls(
                section=posters or Posters(),
                books=PosterBooks(database),
                clock=fleet.acts.clock,
            ),
            denials=denials,
            shown_here=shown_here,
            offenders=offenders,
            denying=Denying(denied=denied or Denylist(), names=denials.names, changed=close_denied),
            enrolling=TokenCalls(
                tokens=EnrolmentTokens(database), clock=fleet.acts.clock, address=enrolment
            ),
            certificates=Certificates(database),
            showing=ScreenCalls(
                assets=Assets(database),
                playlists=Playlists(database),
                plans=ScreenPlans(database),
                folder=asset_folder or AssetFolder(ScreensSection().folder),
                clock=fleet.acts.clock,
                changed=screens_changed,
            ),
            screens=screens,
            sales=SalesBooks(database),
            time=SellableBooks(database),
            funnels=FunnelBooks(database, gate),
            hot=HotBooks(database),
            tags=Tags(database, gate),
            payers=PayerBooks(database),
            trying=ExperimentCalls(
                experiments=Experiments(database),
                foreseeing=Foreseeing(database, gate),
                clock=fleet.acts.clock,
                begun=experimenting.wake,
                new_seed=new_token,
            ),
            guards=GuardBooks(database, gate),
            offering=OfferCalls(
                offers=Offers(database, gate), clock=fleet.acts.clock, new_key=new_key
            ),
            experimenting=experimenting,
            recalls=recalls,
            locks=locks,
            recalling=RecallWorker(
                recalls=recalls,
                locks=locks,
                acts=fleet.acts,
                clock=fleet.acts.clock,
                holder=holder,
            ),
        )


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
