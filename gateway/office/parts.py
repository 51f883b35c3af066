"""What the services of the back office are made of: one of each, on one database."""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Self

from gateway.fleet.answering import Parts
from gateway.office.application_lines import ApplicationLines
from gateway.office.experiment_calls import ExperimentCalls
from gateway.office.experiment_worker import ExperimentWorker
from gateway.office.import_worker import ImportWorker
from gateway.office.line_acts import LineActs
from gateway.office.machine_certificates import TokenCalls
from gateway.office.offer_calls import OfferCalls
from gateway.office.poster_calls import PosterCalls
from gateway.office.recall_worker import RecallWorker
from gateway.office.screen_calls import ScreenCalls
from gateway.process.sections import Offers as OffersSection
from gateway.process.sections import Posters
from gateway.process.sections import Screens as ScreensSection
from gateway.process.sweep import Sweep
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
from storage.experiments.payer_foreseeing import PayerForeseeing
from storage.experiments.payer_starting import PayerStarts
from storage.experiments.prices import TriedPrices
from storage.fleet.answers import KeepingClock
from storage.insight.funnels import FunnelBooks
from storage.insight.hot import HotBooks
from storage.insight.payer import PayerBooks
from storage.insight.sales import SalesBooks
from storage.insight.sellable import SellableBooks
from storage.insight.suppression import Gate
from storage.insight.tags import Tags
from storage.insight.vouchers import VoucherBooks
from storage.offers.offers import Offers
from storage.office import import_lines
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
from storage.office.meant import MeantMachines
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
    sweeping: Sweep
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
    vouchers: VoucherBooks
    trying: ExperimentCalls
    guards: GuardBooks
    offering: OfferCalls
    experimenting: ExperimentWorker

    @classmethod
    def on(
        cls,
        database: Database,
        fleet: Parts,
        due: KeepingClock,
        token: Callable[[], str] = new_token,
        posters: Posters | None = None,
        offers: OffersSection | None = None,
        denied: Denylist | None = None,
        close_denied: Callable[[], None] = lambda: None,
        shown_here: Callable[[str], Collection[str]] = lambda _: (),
        asset_folder: AssetFolder | None = None,
        plays_days: int | None = None,
        screens_changed: Callable[[], None] = lambda: None,
        enrolment: str = "",
        offenders: Offenders | None = None,
        gate: Gate | None = None,
        payer_unused_days: int | None = None,
    ) -> Self:
        """Return the parts over one database. ``due`` tells by what time something is old enough to
        go; ``token`` names what must be told apart from all others; ``posters`` says how posters
        look, ``offers`` what of offers takes two people; ``denied`` is what this gateway knows of
        denials, ``close_denied`` closes what is open of those who are, ``shown_here`` tells which
        machines are here with a certificate of a number; ``asset_folder`` has what machines show,
        of which is kept for ``plays_days`` what they showed, and ``screens_changed`` is told when
        they may have to show something else; ``enrolment`` is where machines are enrolled;
        ``offenders`` are those at their bounds; ``gate`` is what figures of payers go out through,
        who are forgotten when they have not paid for ``payer_unused_days``.
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
            measuring=Measuring(database, gate),
            screens=screens,
            acts=fleet.acts,
            keeping=due,
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
            sweeping=Sweep(
                what="lines of old imports and applications",
                forget=partial(import_lines.forget, database),
                at_once=import_lines.AT_ONCE,
                days=import_lines.KEPT_DAYS,
                clock=due,
            ),
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
                keeping=due,
                changed=screens_changed,
                plays_days=plays_days or ScreensSection().plays_days,
                counting=MeantMachines(database),
            ),
            screens=screens,
            sales=SalesBooks(database),
            time=SellableBooks(database),
            funnels=FunnelBooks(database, gate),
            hot=HotBooks(database),
            tags=Tags(database, gate),
            payers=PayerBooks(database),
            vouchers=VoucherBooks(database),
            trying=ExperimentCalls(
                experiments=Experiments(database),
                foreseeing=Foreseeing(database, gate),
                payers=PayerForeseeing(database, gate, unused_days=payer_unused_days),
                starts=PayerStarts(database, gate),
                clock=fleet.acts.clock,
                begun=experimenting.wake,
                new_seed=new_token,
            ),
            guards=GuardBooks(database, gate),
            offering=OfferCalls(
                offers=Offers(
                    database,
                    gate,
                    second_person_above_minor=(
                        offers or OffersSection()
                    ).budget_second_person_above_minor,
                ),
                clock=fleet.acts.clock,
                new_key=new_key,
                counting=MeantMachines(database),
            ),
            experimenting=experimenting,
            recalls=recalls,
            locks=locks,
            recalling=RecallWorker(
                recalls=recalls,
                locks=locks,
                acts=fleet.acts,
                clock=fleet.acts.clock,
                keeping=due,
                holder=holder,
            ),
        )
