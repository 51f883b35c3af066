"""Texts from machines, from people and from Alipay, as they are shown: in logs, in answers to
administrators, on the command line.

A text may hold what turns the line around, is not seen, or moves a terminal's cursor; a URL may
hold a password. Neither is shown. What is kept in the database is what was said.
"""

import inspect
import json
import re
import unicodedata

INSTEAD = "\ufffd"
"""It is seen that something was there: two names that differ in it do not look alike."""
_LOGIN = re.compile(r"(?<=://)([^\s\"'<>]*)@")
_SECRET = re.compile(
    r"([?&](?:[\w-]*(?:password|passwd|pwd|secret|token)|sign)=)[^&\s\"'<>]+", re.IGNORECASE
)


def help_of(told: object) -> tuple[str, str]:
    """Return what a docstring says of a command without its line breaks, which are not where a
    terminal's are, and the first sentence of it, for a list.
    """
    whole = " ".join((inspect.getdoc(told) or "").split())
    first, stop, _ = whole.partition(". ")
    return whole, first + stop.rstrip()


def plain(text: str) -> str:
    """Return the text in one line, without bidi, zero-width and control characters."""
    return text if text.isprintable() else "".join(map(_seen, text))


def plain_lines(text: str) -> str:
    """Return the text of several lines, each of them plain."""
    return "\n".join(map(plain, text.split("\n")))


def json_line(value: object) -> str:
    """Return the value as JSON in one line: what :func:`plain` would not show is escaped, so that
    nothing of it is lost; other tongues stand as they are.
    """
    return _escaped(json.dumps(value, ensure_ascii=False))


def json_lines(value: object) -> str:
    """Return the value as JSON, a line for each part, escaped as in :func:`json_line`."""
    return "\n".join(map(_escaped, json.dumps(value, indent=1, ensure_ascii=False).split("\n")))


def without_passwords(text: str) -> str:
    """Return the text with the passwords of all URLs in it hidden, and what they name so."""
    if "://" not in text:
        return text
    return _SECRET.sub(r"\1***", _LOGIN.sub(_login, text))


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)


def _seen(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if unicodedata.category(letter) == "Zs" else INSTEAD


def _login(found: re.Match[str]) -> str:
    name, colon, _ = found[1].partition(":")
    return f"{name}:***@" if colon else found[0]
