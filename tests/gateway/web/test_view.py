"""What a page has to work with."""

from gateway.fleet.v1 import fleet_service_pb2
from gateway.web.asking import Person
from gateway.web.tables import Table
from gateway.web.view import TEXT_LENGTH_MAX, ConsolePage, Looking, Missing
from tests.gateway.web.signed_in import NO_CALLS, console_of
from tests.support.site import Site


def test_words_have_an_end() -> None:
    """Whoever writes more into an address is not heard to its end; a token stays as it is."""
    looking = Looking(
        asking=NO_CALLS,
        person=Person(),
        now_ms=0,
        words={"text": f"  {'a' * 300}", "page": f" {'b' * 300}"},
    )
    assert "a" * TEXT_LENGTH_MAX == looking.word("text")
    assert f" {'b' * 300}" == looking.token("page")
    assert ("", "") == (looking.word("moon"), looking.token("moon"))


def test_a_view_knows_its_tables() -> None:
    """By their names."""
    table = Table(name="t", title="T", heads=("A",), rows=())
    view = ConsolePage(title="T", template="t.html", tables=(table,))
    assert (table, None) == (view.table("t"), view.table("u"))


async def test_what_is_refused_is_said_in_its_place(site: Site) -> None:
    """And the rest of the page is there."""
    looking = Looking(asking=console_of(site).asking, person=Person(claimed="ann"), now_ms=0)
    request = fleet_service_pb2.GetMachineRequest(machine_id="VM-1")
    missing = await looking.attempt(request)
    assert isinstance(missing, Missing)
    assert "there is no machine 'VM-1'" in missing.why
    await site.register()
    (found,) = await looking.all(request)
    assert "VM-1" == found.machine.machine_id
