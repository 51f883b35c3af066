"""The fields of a form, those that none goes without, and the way back to a form with what was
filled in.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from gateway.web.door import FormRefused
from gateway.web.view import TEXT_LENGTH_MAX

Fields = Mapping[str, str]
ADDRESS_LENGTH_MAX = 2_000


def given(of: Fields, name: str) -> str:
    """Return a field that the page itself has put there, or that must be filled in. Raises
    FormRefused.
    """
    if not (value := of.get(name, "").strip()):
        raise FormRefused(f"The form has no {name}: load its page again.")
    return value


def request_id(of: Fields) -> str:
    """Return the id of a form's request: without one a form that is sent twice would be two."""
    return given(of, "request_id")


def filled_in(of: Fields, names: Iterable[str], page: str) -> str:
    """Return the address ``page`` with these fields in its query, or with none of them if they are
    too long for an address: a part of them would mean something else.
    """
    words = {name: word for name in names if (word := of.get(name, "").strip())}
    is_long = max(map(len, words.values()), default=0) > TEXT_LENGTH_MAX
    said = "" if is_long else urlencode(words)
    path, _, place = page.partition("#")
    return f"{path}?{said}#{place}" if 0 < len(said) <= ADDRESS_LENGTH_MAX else page
