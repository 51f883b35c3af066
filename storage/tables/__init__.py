"""What SQL holds, by subject. Types are the same on both databases; times (``*_at_ms``) and amounts
(``*_minor``) are 64-bit integers, never floats.

The wide column stands last in each table, so that a scan over the others does not read it; a digest
came later and stands behind it (``storage.books.chain``). Whoever needs a table takes it from here:
so all of them are known wherever one is. A table may be called like the file that it stands in, and
like no other file here, because the import of that file would hide it.
"""

from storage.tables.archives import archives, seals, starts
from storage.tables.base import Position, metadata
from storage.tables.books import audit, balances, fleet_totals, journal
from storage.tables.experiments import (
    experiment_days,
    experiment_offers,
    experiment_own_prices,
    experiment_payers,
    experiment_prices,
    experiment_units,
    experiments,
)
from storage.tables.fleet import answers, console_logins, limit_proposals, work_item_closings
from storage.tables.goods import (
    column_pars,
    goods_arrivals,
    goods_balances,
    goods_lots,
    goods_moves,
    visits,
)
from storage.tables.imports import machine_import_lines, machine_imports
from storage.tables.insight import (
    followers,
    funnel_days,
    machine_exposures,
    machine_hours,
    offer_days,
    sale_facts,
    sales_days,
    sales_hours,
    scope_days,
    scope_exposures,
    scope_funnels,
    scope_hours,
    scope_offers,
)
from storage.tables.installation import (
    holders,
    installation,
    layout,
    partitions,
    wrong_clocks,
)
from storage.tables.lake import lake_files
from storage.tables.machines import (
    machine_halts,
    machine_states,
    machines,
    notify_tokens,
    planogram_columns,
)
from storage.tables.notifications import IS_CONFLICT, IS_REFUSED, inbox
from storage.tables.offers import offer_proposals, offer_spending, offer_uses, offers
from storage.tables.office import price_lists, prices, product_names, products
from storage.tables.payers import payers
from storage.tables.places import (
    district_paths,
    districts,
    machine_labels,
    machine_profiles,
    machine_sites,
    sites,
)
from storage.tables.planograms import planogram_templates, planogram_waits
from storage.tables.readouts import audit_resets, readout_differences, readouts
from storage.tables.recalls import column_locks, recalls
from storage.tables.reconciliation import reconciliation_differences, reconciliation_runs
from storage.tables.records import (
    incidents,
    machine_alarms,
    machine_commands,
    refunds,
    sessions,
    trades,
    vends,
)
from storage.tables.screens import (
    assets,
    machine_screens,
    manifest_assets,
    manifests,
    playlists,
    plays,
    screen_plans,
)
from storage.tables.tags import (
    payer_tags,
    tag_districts,
    tag_rules,
    tag_runs,
    tag_sales,
    tag_sums,
)
from storage.tables.transfers import as_read, kept_transfers, transfers
from storage.tables.trust import (
    denials,
    doubled_machines,
    enrolment_tokens,
    machine_certificates,
)
from storage.tables.vouchers import voucher_redemptions

__all__ = [
    "IS_CONFLICT",
    "IS_REFUSED",
    "Position",
    "answers",
    "archives",
    "as_read",
    "assets",
    "audit",
    "audit_resets",
    "balances",
    "column_locks",
    "column_pars",
    "console_logins",
    "denials",
    "district_paths",
    "districts",
    "doubled_machines",
    "enrolment_tokens",
    "experiment_days",
    "experiment_offers",
    "experiment_own_prices",
    "experiment_payers",
    "experiment_prices",
    "experiment_units",
    "experiments",
    "fleet_totals",
    "followers",
    "funnel_days",
    "goods_arrivals",
    "goods_balances",
    "goods_lots",
    "goods_moves",
    "holders",
    "inbox",
    "incidents",
    "installation",
    "journal",
    "kept_transfers",
    "lake_files",
    "layout",
    "limit_proposals",
    "machine_alarms",
    "machine_certificates",
    "machine_commands",
    "machine_exposures",
    "machine_halts",
    "machine_hours",
    "machine_import_lines",
    "machine_imports",
    "machine_labels",
    "machine_profiles",
    "machine_screens",
    "machine_sites",
    "machine_states",
    "machines",
    "manifest_assets",
    "manifests",
    "metadata",
    "notify_tokens",
    "offer_days",
    "offer_proposals",
    "offer_spending",
    "offer_uses",
    "offers",
    "partitions",
    "payer_tags",
    "payers",
    "planogram_columns",
    "planogram_templates",
    "planogram_waits",
    "playlists",
    "plays",
    "price_lists",
    "prices",
    "product_names",
    "products",
    "readout_differences",
    "readouts",
    "recalls",
    "reconciliation_differences",
    "reconciliation_runs",
    "refunds",
    "sale_facts",
    "sales_days",
    "sales_hours",
    "scope_days",
    "scope_exposures",
    "scope_funnels",
    "scope_hours",
    "scope_offers",
    "screen_plans",
    "seals",
    "sessions",
    "sites",
    "starts",
    "tag_districts",
    "tag_rules",
    "tag_runs",
    "tag_sales",
    "tag_sums",
    "trades",
    "transfers",
    "vends",
    "visits",
    "voucher_redemptions",
    "work_item_closings",
    "wrong_clocks",
]
