"""What the calls tell of screens, as the console's pages of them are to show it."""

import datetime as dt

from tests.e2e.console_calls import Ask, Cell, Expected, Rows, Told, moment

SHOWN = 12
"""So much of a hash is shown."""
DAYS = {1: "Mon", 2: "Tue", 3: "Wed", 4: "Thu", 5: "Fri", 6: "Sat", 7: "Sun"}


async def screens(ask: Ask, _now: dt.datetime) -> Expected:
    """Screens, with one machine's."""
    lagging = await ask("ScreenService/ListScreens", not_converged=True, page_size=100)
    recalled = await ask("ScreenService/ListScreens", shows_recalled=True, page_size=100)
    assets = await ask("ScreenService/ListAssets", page_size=100)
    one = await ask("ScreenService/GetScreen", machine_id="VM-1")
    plays = await ask("ScreenService/ListPlays", machine_id="VM-1", page_size=100)
    return Expected(
        tables={
            "recalled": [_screen(one) for one in recalled["screens"]],
            "lagging": [_screen(one) for one in lagging["screens"]],
            "assets": [
                (
                    *(one["name"], one["sha256"][:SHOWN], one["media_type"]),
                    *(f"{one['width']} x {one['height']}", one["size"], one["added_by"]),
                    *(moment(one, "added_at"), moment(one, "recalled_at")),
                )
                for one in assets["assets"]
            ],
            "screen": [_screen(one["screen"])],
            "plays": [
                (
                    *(one["day"], f"{one['hour']:02}:00", one["manifest"][:SHOWN], one["item"]),
                    *(int(one["times"]), int(one["shown_ms"]) // 1_000),
                )
                for one in plays["plays"]
            ],
        },
    )


def _screen(one: Told) -> tuple[Cell, ...]:
    return (
        one["machine_id"],
        moment(one, "wanted_since"),
        one["applied_manifest"][:SHOWN] or "nothing yet",
        moment(one, "applied_at"),
        moment(one, "heard_at"),
        one["rejected_reason"].replace("_", " ").lower(),
        one["rejected_detail"],
        "plays",
    )


async def plans(ask: Ask, _now: dt.datetime) -> Expected:
    """Playlists and plans, with one playlist that is open."""
    listed = await ask("ScreenService/ListPlaylists", page_size=100)
    told = await ask("ScreenService/ListScreenPlans", page_size=100, show_ended=True)
    lagging = await ask("ScreenService/ListScreens", not_converged=True, page_size=100)
    recalled = await ask("ScreenService/ListScreens", shows_recalled=True, page_size=100)
    assets = (await ask("ScreenService/ListAssets", page_size=100))["assets"]
    it = (await ask("ScreenService/GetPlaylist", playlist="summer"))["playlist"]
    of = {one["sha256"]: one for one in assets}
    return Expected(
        tables={
            "items": [
                (
                    *(place, of[one["sha256"]]["name"], one["sha256"][:SHOWN]),
                    one["duration_ms"] // 1_000,
                    "recalled" if of[one["sha256"]].get("recalled_at") else "",
                )
                for place, one in enumerate(it["items"], 1)
            ],
            "pictures": [
                (
                    *(one["name"], one["sha256"][:SHOWN], one["media_type"]),
                    *(f"{one['width']} x {one['height']}", one["size"]),
                )
                for one in assets
                if not one.get("recalled_at")
            ],
            "recalled": [_screen(one) for one in recalled["screens"]],
            "lagging": [_screen(one) for one in lagging["screens"]],
            "playlists": [
                (
                    *(one["code"], one["name"], len(one["items"])),
                    sum(item["duration_ms"] for item in one["items"]) // 1_000,
                    moment(one, "updated_at"),
                )
                for one in listed["playlists"]
            ],
            "plans": _plans(told),
        },
        says=[f"Playlist {it['code']}: {it['name']}."],
    )


def _plans(told: Told) -> Rows:
    return [
        (
            *(one["code"], one["playlist"], _meant(one["selector"]), _meant_now(one)),
            "every day" if len(one["days"]) == 7 else ", ".join(DAYS[day] for day in one["days"]),
            f"{_time(one['from_minute'])} to {_time(one['to_minute'])}",
            *(one["priority"], moment(one, "not_after"), one["created_by"]),
            *(moment(one, "created_at"), moment(one, "ended_at"), _copied(one)),
        )
        for one in told["plans"]
    ]


def _meant_now(plan: Told) -> str:
    """Return how many machines a plan means; nothing of one that has ended."""
    if plan.get("machines_meant") is None:
        return ""
    machines, screens = int(plan["machines_meant"]), int(plan["screens_meant"])
    if not machines:
        return "means no machine today"
    named = "1 machine" if machines == 1 else f"{machines:,} machines"
    return f"{named}, {'all' if screens == machines else screens or 'none'} with a screen"


def _copied(plan: Told) -> str:
    """Return what leads to the form as the plan fills it in: not one that means hundreds."""
    return "fill in" if len(" ".join(plan["selector"]["machine_ids"])) <= 200 else ""


def _time(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _meant(of: Told) -> str:
    words = {"district": "district", "site": "site", "site_type": "site type", "model": "model"}
    said = [f"{name} {of[field].lower()}" for field, name in words.items() if of[field]]
    said += [f"{name}={value}" for name, value in of["labels"].items()]
    machines = of["machine_ids"]
    said += machines[:5] + ([f"and {len(machines) - 5} more"] if len(machines) > 5 else [])
    return ", ".join(said) or "all" * of["all"]
