"""One playlist: what it shows, in its order and for how long, and the pictures it could show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.office.v1 import screen_pb2, screen_service_pb2
from gateway.web.pages.screens import PAGE, SHOWN
from gateway.web.screen_acts import CHANGE, ITEMS, MOVE, SECONDS, listed
from gateway.web.tables import ACT, Controls, Form, Table
from gateway.web.view import Looking
from storage.office.assets import ASSETS_MAX

ASSETS_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPlaylist:
    """``more``: the words of the query that show further pictures."""

    playlist: screen_pb2.Playlist
    form: Form
    tables: tuple[Table, ...]
    more: dict[str, dict[str, str]]


async def opened(looking: Looking, code: str) -> OpenPlaylist:
    """Return a playlist with its form. Raises Refused if there is none."""
    told, pictures = await looking.all(
        screen_service_pb2.GetPlaylistRequest(playlist=code),
        screen_service_pb2.ListAssetsRequest(page_size=PAGE, page_token=looking.token("page")),
    )
    it = told.playlist
    known = await _known(looking, {one.sha256 for one in it.items})
    words = {"open": code, "page": pictures.next_page_token}
    return OpenPlaylist(
        playlist=it,
        form=_form(it),
        tables=(_items(it.items, known), _pictures(pictures.assets)),
        more={"pictures": words} if pictures.next_page_token else {},
    )


def _form(it: screen_pb2.Playlist) -> Form:
    return Form(
        act=CHANGE,
        label="Save name and seconds",
        fields={"playlist": it.code, "etag": it.etag, ITEMS: listed(list(it.items))},
        asks=("name",),
        given={"name": it.name},
    )


async def _known(looking: Looking, wanted: set[str]) -> Mapping[str, screen_pb2.Asset]:
    """Return what is known of some files, whichever of all that there may be they are: of one that
    is not found it would not be said that it was recalled.
    """
    known: dict[str, screen_pb2.Asset] = {}
    token = ""
    for _ in range(ASSETS_MAX // ASSETS_AT_ONCE):
        if wanted <= known.keys():
            break
        page = await looking.ask(
            screen_service_pb2.ListAssetsRequest(page_size=ASSETS_AT_ONCE, page_token=token)
        )
        known |= {one.sha256: one for one in page.assets if one.sha256 in wanted}
        if not (token := page.next_page_token):
            break
    return known


def _items(of: Iterable[screen_pb2.PlaylistItem], known: Mapping[str, screen_pb2.Asset]) -> Table:
    items = list(of)
    return Table(
        name="items",
        title="What it shows",
        heads=("Place", "Picture", "File", "Seconds", "Recalled", ACT),
        rows=[
            (
                place + 1,
                known[one.sha256].name if one.sha256 in known else "",
                one.sha256[:SHOWN],
                one.duration_ms // 1_000,
                "recalled"
                if one.sha256 in known and known[one.sha256].HasField("recalled_at")
                else "",
                _controls(place, one, last=len(items) - 1),
            )
            for place, one in enumerate(items)
        ],
        empty="Nothing yet: add pictures from the list below.",
        note="One after the other, from the first again. A button saves what is written in the "
        "form, too.",
    )


def _controls(place: int, item: screen_pb2.PlaylistItem, *, last: int) -> Controls:
    buttons = {f"up-{place}": "Up"} if place else {}
    buttons |= {f"down-{place}": "Down"} if place < last else {}
    return Controls(
        act=CHANGE,
        of=f"place {place + 1}",
        name=MOVE,
        field=f"{SECONDS}{place}",
        value=item.duration_ms // 1_000,
        buttons={**buttons, f"out-{place}": "Take out"},
    )


def _pictures(of: Iterable[screen_pb2.Asset]) -> Table:
    return Table(
        name="pictures",
        title="Pictures that it could show",
        heads=("Name", "File", "Kind", "Pixels", "Bytes", ACT),
        rows=[
            (
                one.name,
                one.sha256[:SHOWN],
                one.media_type,
                f"{one.width} x {one.height}",
                one.size,
                Controls(
                    act=CHANGE,
                    of=one.name or one.sha256[:SHOWN],
                    name=MOVE,
                    buttons={f"add-{one.sha256}": "Add"},
                ),
            )
            for one in of
            if not one.HasField("recalled_at")
        ],
        empty="No picture was taken in yet, or all of these were recalled.",
        note="What is added comes last, for ten seconds.",
    )
