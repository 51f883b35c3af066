"""PosterService over a real server, real SQL and real actors."""

import io
import sqlite3
from contextlib import closing
from typing import Any, cast

import grpc
import pypdfium2
from PIL import Image

from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.v1 import poster_service_pb2 as wire
from gateway.office.v1 import selector_pb2
from gateway.posters.code import code_id
from tests.gateway.posters.pages import read
from tests.support.fleet_calls import refusal, registered
from tests.support.site import Site

ANN = (("x-actor", "ann"),)


async def _payload(site: Site, machine_id: str = "VM-1") -> str:
    view = await site.queries.machine(machine_id)
    assert view is not None
    assert view.qr_payload
    return view.qr_payload


def _printed(site: Site) -> list[tuple[str, str, str]]:
    with closing(sqlite3.connect(site.path)) as other:
        return other.execute(
            "SELECT actor, machine_id, detail FROM audit WHERE action = 'PrintPoster' ORDER BY id"
        ).fetchall()


async def test_a_poster_is_answered_and_noted(site: Site) -> None:
    """A PDF, and a PNG of another size; the code on each is the machine's, and the audit log says
    who had it.
    """
    await registered(site)
    payload = await _payload(site)
    made = await site.posters.GetPoster(wire.GetPosterRequest(machine_id="VM-1"), metadata=ANN)
    with pypdfium2.PdfDocument(made.content) as document:
        picture = document[0].render(scale=2).to_pil().convert("RGB")
    assert [payload] == read(picture)
    assert code_id(payload) == made.code_id
    request = wire.GetPosterRequest(
        machine_id="VM-1",
        size=wire.POSTER_SIZE_STICKER,
        format=wire.POSTER_FORMAT_PNG,
        bleed=True,
    )
    made = await site.posters.GetPoster(request, metadata=ANN)
    with Image.open(io.BytesIO(made.content)) as opened:
        assert [payload] == read(opened.convert("RGB"))
    assert [
        ("ann", "VM-1", f"code {code_id(payload)}, a4 pdf"),
        ("ann", "VM-1", f"code {code_id(payload)}, sticker png"),
    ] == _printed(site)


async def test_many_are_one_file(site: Site) -> None:
    """A page for each machine that the selector holds, in the order of their ids; one that can have
    none refuses all of them, or is left out and named.
    """
    for machine_id in ("VM-2", "VM-1", "VM-3"):
        await registered(site, machine_id)
    everyone = selector_pb2.Selector(all=True)
    made = await site.posters.ExportPosters(wire.ExportPostersRequest(selector=everyone))
    assert ["VM-1", "VM-2", "VM-3"] == [one.machine_id for one in made.posters]
    with pypdfium2.PdfDocument(made.pdf) as document:
        seen = [read(page.render(scale=2).to_pil().convert("RGB")) for page in document]
    assert [[await _payload(site, f"VM-{number}")] for number in (1, 2, 3)] == seen
    assert 3 == len(_printed(site))

    await site.fleet.DisableMachine(
        fleet_service_pb2.DisableMachineRequest(machine_id="VM-2", reason="moved")
    )
    asked = wire.ExportPostersRequest(selector=everyone)
    code, reason, _ = await refusal(site.posters.ExportPosters(asked))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "POSTERS_REFUSED") == (code, reason)
    asked.skip = True
    made = await site.posters.ExportPosters(asked)
    assert ["VM-1", "VM-3"] == [one.machine_id for one in made.posters]
    assert [("VM-2", "CODE_NOT_READY")] == [(one.machine_id, one.reason) for one in made.left_out]
    assert made.left_out[0].message.startswith("machine VM-2: its code ")
    assert 5 == len(_printed(site))


async def test_what_is_asked_wrongly_is_refused(site: Site) -> None:
    """And nobody has a poster."""
    get, export = site.posters.GetPoster, site.posters.ExportPosters
    nowhere, typo = selector_pb2.Selector(model="moon"), selector_pb2.Selector(site="moon")
    for call, reason in (
        (get(wire.GetPosterRequest()), "INVALID_REQUEST"),
        (get(wire.GetPosterRequest(machine_id="VM-1", size=cast("Any", 9))), "INVALID_REQUEST"),
        (get(wire.GetPosterRequest(machine_id="VM-1", format=cast("Any", 9))), "INVALID_REQUEST"),
        (get(wire.GetPosterRequest(machine_id="VM-1")), "MACHINE_NOT_FOUND"),
        (export(wire.ExportPostersRequest()), "INVALID_REQUEST"),
        (export(wire.ExportPostersRequest(selector=nowhere)), "NO_MACHINES"),
        (export(wire.ExportPostersRequest(selector=typo)), "SITE_NOT_FOUND"),
    ):
        _, found, _ = await refusal(call)
        assert reason == found
    assert [] == _printed(site)
