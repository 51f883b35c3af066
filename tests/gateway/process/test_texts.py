"""What is shown of texts that others wrote."""

import pytest

from gateway.process.texts import help_of, plain, plain_lines, without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Lobby", "Lobby"),
        ("大堂\u3000一楼", "大堂 一楼"),
        ("Café\u00a0Zoë 🥤", "Café Zoë 🥤"),
        ("refund\u202eDENIAP", "refund\ufffdDENIAP"),
        ("VM-1\u200b", "VM-1\ufffd"),
        ("\u2066a\u2069", "\ufffda\ufffd"),
        ("a\x1b[2Jb\x07", "a\ufffd[2Jb\ufffd"),
        ("one\ntwo\r\tthree\x85\u2028", "one\ufffdtwo\ufffd\ufffdthree\ufffd\ufffd"),
        ("\ud800", "\ufffd"),
    ],
)
def test_nothing_turns_a_line_around(text: str, shown: str) -> None:
    """Nor hides in it, nor moves the cursor; what was there is seen to have been."""
    assert shown == plain(text)
    assert plain(text).isprintable()


def test_lines_stay_lines() -> None:
    """Where a text of ours has several."""
    assert "a\nb\ufffd" == plain_lines("a\nb\x1b")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no URL: a:b@c", "no URL: a:b@c"),
        ("http://host:80/path", "http://host:80/path"),
        ("ask https://me@host/ now", "ask https://me@host/ now"),
        ("ask https://me:geheim@host/ now", "ask https://me:***@host/ now"),
        ("'postgresql://app:ge/he@im@db/v' fails", "'postgresql://app:***@db/v' fails"),
        ("redis://:geheim@h and ftp://a:geheim@b", "redis://:***@h and ftp://a:***@b"),
        ("https://h/?a=1&password=geheim&b=2", "https://h/?a=1&password=***&b=2"),
        ('{"url": "https://h/?access_token=geheim"}', '{"url": "https://h/?access_token=***"}'),
        ("https://h/gateway.do?sign=geheim&x=1", "https://h/gateway.do?sign=***&x=1"),
    ],
)
def test_no_password_is_shown(text: str, shown: str) -> None:
    """Wherever in a sentence the URL stands, and whatever its scheme is."""
    assert shown == without_passwords(text)


def test_help_is_a_line_and_its_first_sentence() -> None:
    """A docstring breaks where its source does."""

    def command() -> None:
        """Do this and
        that. Status 0: done; 1:
        not.
        """

    assert ("Do this and that. Status 0: done; 1: not.", "Do this and that.") == help_of(command)
