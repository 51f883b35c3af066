"""Spans as OpenTelemetry has them, and that nothing of it is there unless it is wanted."""

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from actors.spans import Span, span_id, trace_id
from gateway.process import tracing
from gateway.process.sections import Trace

WHOLE = Span(trace="VM-1-s1", key="", name="session", began_ms=1_000, ended_ms=9_000)
STEP = Span(
    trace="VM-1-s1",
    key="VM-1/7",
    parent="VM-1-v1",
    name="VendRequested",
    began_ms=2_000,
    ended_ms=2_004,
    attributes={"machine_id": "VM-1", "price_minor": 500},
)


def test_a_span_has_ids_that_derive_from_ours() -> None:
    """A part may come before the whole, and from another process."""
    kept = InMemorySpanExporter()
    with tracing.telling(SimpleSpanProcessor(kept), service="vendgate-host") as tell:
        tell([STEP, WHOLE])
        step, whole = kept.get_finished_spans()

    context, parent = step.get_span_context(), step.parent
    assert context is not None
    assert parent is not None
    assert trace_id("VM-1-s1") == context.trace_id == parent.trace_id
    assert span_id("VM-1-s1", "VM-1/7") == context.span_id
    assert span_id("VM-1-s1", "VM-1-v1") == parent.span_id
    assert (2_000_000_000, 2_004_000_000) == (step.start_time, step.end_time)
    assert {"machine_id": "VM-1", "price_minor": 500} == step.attributes
    assert whole.parent is None
    assert whole.context.span_id == span_id("VM-1-s1", "")
    assert "vendgate-host" == step.resource.attributes["service.name"]


def test_a_share_of_all_purchases_is_told_whole() -> None:
    """Every process tells of the same ones."""
    sessions = [f"VM-1-s{number}" for number in range(400)]
    told = []
    for _ in range(2):
        kept = InMemorySpanExporter()
        with tracing.telling(SimpleSpanProcessor(kept), service="x", share=0.25) as tell:
            for each in sessions:
                tell([Span(trace=each, key="", name="session", began_ms=1, ended_ms=2)])
            told.append({span.context.trace_id for span in kept.get_finished_spans()})
    assert told[0] == told[1]
    assert 60 < len(told[0]) < 140


def test_nothing_is_loaded_unless_it_is_wanted() -> None:
    """Without an endpoint there is nobody to tell, and a host does not pay for the library."""
    program = """
import sys
import gateway.links.host_services
from gateway.process import tracing
from gateway.process.sections import Trace
with tracing.opened(Trace(), service="x") as tell:
    print(tell, [name for name in sys.modules if name.startswith("opentelemetry")])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "None []" == done.stdout.strip()


def test_a_collector_that_is_away_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be sent is lost."""
    trace = Trace(endpoint="http://127.0.0.1:9/v1/traces")
    with tracing.opened(trace, service="x") as tell:
        assert tell is not None
        tell([WHOLE])


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://x", "http://me:secret@x", "http://"])
def test_an_endpoint_is_an_address_of_the_web(endpoint: str) -> None:
    """Without a password, which would stand in the log."""
    with pytest.raises(ValueError, match="endpoint"):
        Trace(endpoint=endpoint)
