"""Which URLs can be meant."""

import pytest

from gateway.process import urls


@pytest.mark.parametrize(
    ("url", "reachable", "has_host"),
    [
        ("https://pay.example.com", True, True),
        ("http://127.0.0.1:4318/v1/traces", True, True),
        ("http://host/path?query", False, True),
        ("http://:4318", False, False),
        ("http://:x", False, False),
        ("http://host:0", False, False),
        ("ftp://host", False, True),
        ("http://ann:secret@host", False, True),
    ],
)
def test_what_leads_somewhere_is_known(url: str, reachable: bool, has_host: bool) -> None:
    """What others can reach leads to a computer; the other way round not always."""
    assert reachable is urls.is_url(url)
    for check, right in ((urls.reachable, reachable), (urls.with_host, has_host)):
        if right:
            assert url == check(url)
            continue
        with pytest.raises(ValueError, match="write ") as refused:
            check(url)
        assert "secret" not in str(refused.value)


def test_nothing_is_no_address_and_may_be_meant() -> None:
    """The setting is not used then."""
    assert ("", "") == (urls.reachable(""), urls.with_host(""))
