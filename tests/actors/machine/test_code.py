"""What a state keeps of its machine's code."""

import msgspec

from actors.machine.code import Code, CodeStatus


def test_the_status_stands_first_in_the_text() -> None:
    """Lists look for it there, whatever else is known of the code."""
    for status in CodeStatus:
        text = msgspec.json.encode(Code(status=status)).decode()
        assert text.startswith(f'{{"status":"{status}"')
