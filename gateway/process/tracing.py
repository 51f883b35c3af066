"""Sends what there is to be seen of purchases to a collector of traces, through OpenTelemetry.

Flows in: spans, as a host tells them. Flows out: the same over OTLP/HTTP, from a thread of the
library's own behind a bounded queue: a collector that is away holds nobody up, and what does not
fit is lost, which the library says in the log. Without ``[trace] endpoint`` nothing of the library
is loaded.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from actors.spans import Span, Tell, span_id, trace_id
from gateway.process.sections import Trace

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor

MISSING = (
    "what sends traces is not installed here: pip install 'vendgate[trace]' (the image has it)"
)
PARTS = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_SEND_TIMEOUT_S = 5
_CLOSE_WITHIN_MS = 2_000
_NS_PER_MS = 1_000_000
_TRACE_IDS = 1 << 128


def installed() -> bool:
    """Return whether traces can be sent from here."""
    try:
        return all(importlib.util.find_spec(part) is not None for part in PARTS)
    except ModuleNotFoundError:  # not even what they are part of
        return False


@contextmanager
def opened(trace: Trace, *, service: str) -> Iterator[Tell | None]:
    """Give what takes spans; None, if nobody wants them. ``service`` names this process there."""
    if not trace.endpoint:
        yield None
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=trace.endpoint, timeout=_SEND_TIMEOUT_S)
    with telling(BatchSpanProcessor(exporter), service=service, share=trace.share) as tell:
        yield tell


@contextmanager
def telling(processor: "SpanProcessor", *, service: str, share: float = 1.0) -> Iterator[Tell]:
    """Give what makes OpenTelemetry's spans of ours and hands them to the processor. ``share`` of
    all traces is told: the same ones by every process, each as a whole.
    """
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    class Given(IdGenerator):
        """Ids that derive from ours."""

        trace_id = 0
        span_id = 0

        def generate_trace_id(self) -> int:
            return self.trace_id

        def generate_span_id(self) -> int:
            return self.span_id

    ids = Given()
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource.create({"service.name": service}),
        id_generator=ids,
        shutdown_on_exit=False,
    )
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("vendgate")
    least = round((1 - share) * _TRACE_IDS)

    def tell(spans: Iterable[Span]) -> None:
        for span in spans:
            ids.trace_id = trace_id(span.trace)
            if ids.trace_id < least:
                continue
            ids.span_id = span_id(span.trace, span.key)
            made = tracer.start_span(
                span.name,
                context=_within(span, ids.trace_id),
                attributes=dict(span.attributes),
                start_time=span.began_ms * _NS_PER_MS,
            )
            made.end(span.ended_ms * _NS_PER_MS)

    try:
        yield tell
    finally:
        provider.force_flush(_CLOSE_WITHIN_MS)
        provider.shutdown()


def _within(span: Span, its_trace_id: int) -> "Context":
    """Return what the span is part of, which may be told later; nothing, if it is the whole."""
    from opentelemetry.context import Context
    from opentelemetry.trace import (
        NonRecordingSpan,
        SpanContext,
        TraceFlags,
        set_span_in_context,
    )

    if not span.key:
        return Context()
    parent = SpanContext(
        its_trace_id,
        span_id(span.trace, span.parent),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
    return set_span_in_context(NonRecordingSpan(parent), Context())
