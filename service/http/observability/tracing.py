"""OpenTelemetry: one span for each request, sent over OTLP/HTTP, with what each stage took.

The packages are the extra `tracing`, so they are imported here only when tracing begins.
"""

import re
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import TracingUnavailable

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_PACKAGES = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.instrumentation.asgi",
    "opentelemetry.sdk.trace.export",
)
_STAGE = re.compile(r"(\w+);dur=([\d.]+)")
_BATCH = re.compile(r"batch of (\d+)")


def require_tracing() -> None:
    """Raise TracingUnavailable where the extra is not installed."""
    for name in _PACKAGES:
        try:
            import_module(name)
        except ImportError as error:
            raise TracingUnavailable(str(error)) from None


class Tracing:
    """Sends the spans of one application; the standard OTEL_* variables say where and how."""

    def __init__(self) -> None:
        """Prepare to send. Raises TracingUnavailable."""
        require_tracing()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        ours = Resource.create({"service.name": "lossatlas"})
        self._provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """The application with a span around each request; a client's `traceparent` is its parent.

        OTEL_PYTHON_EXCLUDED_URLS names paths without spans.
        """
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
        from opentelemetry.util.http import get_excluded_urls

        traced: ASGIApp = OpenTelemetryMiddleware(
            _SpanAnnotator(app),
            excluded_urls=get_excluded_urls("ASGI"),
            default_span_details=lambda scope: (scope.get("method", "GET"), {}),
            tracer_provider=self._provider,
            exclude_spans=["receive", "send"],
        )
        return traced

    def stop(self) -> None:
        """Send what is left, for as long as the exporter's timeout allows."""
        self._provider.shutdown()


class _SpanAnnotator:
    """Writes into the request's span what is known once its answer begins."""

    def __init__(self, app: ASGIApp) -> None:
        from opentelemetry.trace import get_current_span

        self._app = app
        self._current_span = get_current_span

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        span = self._current_span()

        async def send_annotated(message: Message) -> None:
            if message["type"] == "http.response.start" and span.is_recording():
                _annotate(span, scope, message)
            await send(message)

        await self._app(scope, receive, send_annotated)


def _annotate(span: "Span", scope: Scope, message: Message) -> None:
    if (route := scope.get("route")) is not None:
        span.update_name(f"{scope['method']} {route.path}")
        span.set_attribute("http.route", route.path)
    headers = {
        name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]
    }
    span.set_attribute("lossatlas.request_id", headers["x-request-id"])
    timing = headers.get("server-timing", "")
    for stage, duration_ms in _STAGE.findall(timing):
        span.set_attribute(f"lossatlas.{stage}_ms", float(duration_ms))
    if (batch := _BATCH.search(timing)) is not None:
        span.set_attribute("lossatlas.batch_items", int(batch[1]))
