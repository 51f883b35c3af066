"""The fields of a form, and those that none goes without."""

from collections.abc import Mapping

from gateway.web.door import FormRefused

Fields = Mapping[str, str]


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
