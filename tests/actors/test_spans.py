"""Ids of traces, which a person computes without us."""

import subprocess

from actors.spans import span_id, trace_id

SESSION = "VM-0001-s42-1a2b3c4d"


def test_the_id_of_a_trace_is_a_checksum_of_the_session_s() -> None:
    """The command of docs/operations.md finds it."""
    command = f"printf %s {SESSION} | sha256sum | cut -c1-32"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert f"{trace_id(SESSION):032x}" == done.stdout.strip()


def test_each_span_of_a_trace_has_its_own_id_for_ever() -> None:
    """What is told again, after a restart, is the same span."""
    ids = {span_id(trace, key) for trace in (SESSION, "t-1") for key in ("", "v-1", "v-2")}
    assert 6 == len(ids)
    assert all(0 < one < 1 << 64 for one in ids)
    assert span_id(SESSION, "v-1") == span_id(SESSION, "v-1")
