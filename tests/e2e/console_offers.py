"""The page of offers as the calls tell it."""

import datetime as dt

from tests.e2e.console_calls import (
    Ask,
    Cell,
    Expected,
    Told,
    complete,
    day_of,
    hkd,
    moment,
    money,
    unless_zero,
    word,
)


async def offers(ask: Ask, _now: dt.datetime) -> Expected:
    """Offers, with the days of one."""
    live = (await ask("OfferService/ListOffers", page_size=100, over=False))["offers"]
    over = (await ask("OfferService/ListOffers", page_size=100, over=True))["offers"]
    waiting = (await ask("OfferService/ListOfferProposals", page_size=100))["proposals"]
    told = await ask("OfferService/GetOffer", code="tea")
    return Expected(
        tables={
            "facts": _facts(told["offer"]),
            "days": [
                (day_of(one["day"]), int(one["uses"]), money(one, "sales"), money(one, "discount"))
                for one in told["days"]
            ],
            "waiting": [_proposal(one) for one in waiting],
            "offers": [
                (
                    one["code"],
                    one["content"]["name"],
                    word(one["state"], "OFFER_STATE_"),
                    money(one["content"], "discount"),
                    money(one["content"], "budget"),
                    money(one, "spent"),
                    _left(one),
                    int(one["uses"]),
                    moment(one["content"], "ends_at"),
                    _whose(one["content"]),
                    "all",
                    _means(one),
                    one["content"]["uses_per_payer"],
                    moment(one["content"], "begins_at"),
                )
                for one in live
            ],
            "over": [
                (
                    one["code"],
                    one["content"]["name"],
                    money(one["content"], "discount"),
                    moment(one["content"], "begins_at"),
                    moment(one["content"], "ends_at"),
                    moment(one, "ended_at"),
                    int(one["uses"]),
                    money(one, "spent"),
                )
                for one in over
            ],
        },
        pictures=[f"{_left(one)} left" for one in live],
        says=[complete(told)],
    )


def _left(of: Told) -> str:
    return hkd(int(of["content"]["budget"]["minor"]) - int(of["spent"]["minor"]))


def _means(of: Told) -> str:
    return str(of["machines_meant"])


def _whose(of: Told) -> str:
    held_out = of["holdout_percent"]
    return "all known payers" + (f", {held_out} % of them held out" if held_out else "")


def _facts(of: Told) -> list[tuple[Cell, ...]]:
    content = of["content"]
    return [
        ("is", word(of["state"], "OFFER_STATE_")),
        ("takes off", money(content, "discount")),
        ("for", _whose(content)),
        ("at machines", "all"),
        ("means now", _means(of)),
        ("uses each", str(content["uses_per_payer"])),
        ("uses", str(of["uses"])),
        ("budget", money(content, "budget")),
        ("spent", money(of, "spent")),
        ("left", _left(of)),
    ]


def _proposal(of: Told) -> tuple[Cell, ...]:
    wanted, before = of["content"], of.get("before") or {"uses_per_payer": 0}
    return (
        of["code"],
        "changed" if "before" in of else "made",
        before.get("name", ""),
        wanted["name"],
        money(wanted, "discount"),
        _whose(wanted),
        "all",
        moment(wanted, "begins_at") or "when it is confirmed",
        money(before, "budget"),
        money(wanted, "budget"),
        unless_zero(before["uses_per_payer"]),
        wanted["uses_per_payer"],
        moment(before, "ends_at"),
        moment(wanted, "ends_at"),
        of["proposed_by"],
        moment(of, "proposed_at"),
        moment(of, "expires_at"),
    )
