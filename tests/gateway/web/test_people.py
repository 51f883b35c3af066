"""Who is in front of the console."""

from gateway.process.clock import SystemClock
from gateway.web.asking import Person
from gateway.web.people import COOKIE, COOKIE_SECURE, Visitors, is_ours, key_of
from storage.fleet.logins import Logins
from tests.support.site import Site


def _people(site: Site, *, salt: bytes = b"s" * 16, secure: bool = False) -> Visitors:
    return Visitors(
        logins=Logins(site.database), clock=SystemClock(), key=key_of(salt), secure=secure
    )


async def test_a_certificate_comes_before_a_cookie(site: Site) -> None:
    """Its form key is its own, and another installation's is another."""
    certified = {"peer_uri": b"spiffe://v/admin/ann"}
    present = await _people(site).present({COOKIE: "no-session"}, certified)
    assert present is not None
    assert (Person(proven=certified), "") == (present.person, present.session)
    other = await _people(site).present({}, {"peer_uri": b"spiffe://v/admin/bob"})
    elsewhere = await _people(site, salt=b"t" * 16).present({}, certified)
    assert other is not None
    assert elsewhere is not None
    assert 3 == len({present.form_key, other.form_key, elsewhere.form_key})
    assert is_ours(present, {"form_key": present.form_key})
    assert not is_ours(present, {"form_key": other.form_key})
    assert not is_ours(present, {"form_key": "é"})
    assert not is_ours(present, {})


async def test_a_session_is_its_persons(site: Site) -> None:
    """What is none, too long or empty is nobody; each session has a form key of its own."""
    people = _people(site)
    keys = set()
    for link in ("one", "two"):
        await people.logins.issue("ann", link, role="owner", now_ms=people.clock.now_ms())
        opened = await people.sign_in(link)
        assert opened is not None
        present = await people.present({COOKIE: opened[0]}, {})
        assert present is not None
        assert "ann" == present.person.claimed
        keys.add(present.form_key)
    assert 2 == len(keys)
    for cookie in ("", "x", "x" * 65, "one"):
        assert await people.present({COOKIE: cookie}, {}) is None
    assert await people.present({}, {}) is None
    assert await people.sign_in("") is None
    assert await people.sign_in("x" * 65) is None


def test_a_cookie_over_tls_stays_there() -> None:
    """By its name, which browsers know."""
    assert COOKIE_SECURE.startswith("__Host-")
