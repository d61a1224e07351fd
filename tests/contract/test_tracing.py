"""Spans as a real OTLP receiver gets them; and nothing of OpenTelemetry where tracing is off."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from service.__main__ import main
from tests.support.bundles import picture
from tests.support.serving import ready

ROOT = Path(__file__).parents[2]
SERVICE_PYTHON = ROOT / ".venv-service" / "bin" / "python"
PNG = {"Content-Type": "image/png"}


@dataclass
class Received:
    """The spans that the collector was sent."""

    paths: set[str] = field(default_factory=set)
    services: set[str] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)

    def span(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """An OTLP/HTTP receiver, which the standard variable names."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.paths.add(self.path)
            for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                received.services.add(str(attributes(part.resource.attributes)["service.name"]))
                for scope in part.scope_spans:
                    received.spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        yield received
        server.shutdown()
        thread.join()


def attributes(found: "Iterator[KeyValue]") -> dict[str, str | int | float]:
    values = {one.key: one.value for one in found}
    return {key: getattr(value, str(value.WhichOneof("value"))) for key, value in values.items()}


def test_a_span_tells_route_status_and_what_each_stage_took(
    collector: Received, tiny_registry: Path
) -> None:
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    with ready(tiny_registry, tracing="otlp") as client:
        headers = PNG | {"traceparent": f"00-{trace_id}-{parent_id}-01", "X-Request-ID": "mine"}
        answer = client.post("/classify?top_k=1", content=picture(0), headers=headers)
        assert answer.status_code == 200
    assert (collector.paths, collector.services) == ({"/v1/traces"}, {"lossatlas"})
    span = collector.span("POST /classify")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace_id, parent_id)
    assert span.kind == Span.SPAN_KIND_SERVER
    on_span = attributes(iter(span.attributes))
    assert on_span["http.route"] == "/classify"
    assert on_span["http.status_code"] == 200
    assert on_span["lossatlas.request_id"] == "mine"
    assert on_span["lossatlas.batch_items"] == 1
    timing = re.findall(r"(\w+);dur=([\d.]+)", answer.headers["server-timing"])
    assert {name for name, _ in timing} == {"decode", "queue", "inference"}
    for stage, duration_ms in timing:
        assert on_span[f"lossatlas.{stage}_ms"] == float(duration_ms)
    took_ms = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
    assert took_ms >= sum(float(duration_ms) for _, duration_ms in timing)


def test_every_way_through_the_service_has_its_span(
    collector: Received, tiny_registry: Path
) -> None:
    with ready(tiny_registry, tracing="otlp", api_key="hush") as client:
        key = {"Authorization": "Bearer hush"}
        client.post("/compare", content=picture(0), headers=PNG | key)
        client.post("/embed", content=b"no image", headers=PNG | key)
        client.get("/models/arcface?version=1", headers=key)
        client.get("/report/nix", headers=key)
        client.delete("/nix/1234", headers=key)
        client.get("/metrics")
    found = {
        span.name: attributes(iter(span.attributes))["http.status_code"] for span in collector.spans
    }
    assert found.pop("GET /health/ready") in (200, 503)
    assert found == {
        "POST /compare": 200,
        "POST /embed": 422,
        "GET /models/{loss}": 200,
        "GET /report/{loss}": 404,
        "DELETE": 404,  # no route: the path of whoever tries paths is no name
        "GET": 401,
    }


def test_the_standard_variables_rule(
    collector: Received, tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "embedder")
    monkeypatch.setenv("OTEL_PYTHON_EXCLUDED_URLS", "health/.*,metrics")
    with ready(tiny_registry, tracing="otlp") as client:
        client.get("/metrics")
        client.get("/models")
    assert collector.services == {"embedder"}
    assert [span.name for span in collector.spans] == ["GET /models"]


def test_a_collector_that_is_away_keeps_nobody_waiting(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with ready(tiny_registry, tracing="otlp") as client:
        assert client.post("/embed", content=picture(0), headers=PNG).status_code == 200


@pytest.mark.parametrize(("given", "loaded"), [("", False), ("tracing='otlp'", True)])
def test_off_is_the_default_and_imports_nothing(given: str, loaded: bool) -> None:
    """FastAPI imports the API of OpenTelemetry by itself; the rest is the extra's."""
    code = (
        "import sys\n"
        "from service.http.app import create_app\n"
        "from service.settings import Settings\n"
        f"create_app(Settings({given}))\n"
        "extra = [f'opentelemetry.{x}' for x in ('sdk', 'exporter', 'instrumentation', 'proto')]\n"
        "print([name for name in sys.modules if name.startswith(tuple(extra))])"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()[-1]
    assert (said != "[]") == loaded


@pytest.mark.skipif(not SERVICE_PYTHON.exists(), reason="`make environments` makes .venv-service")
def test_without_the_extra_it_does_not_start(tiny_registry: Path) -> None:
    command = [
        str(SERVICE_PYTHON),
        "-m",
        "service",
        f"--registry={tiny_registry}",
        "--tracing=otlp",
    ]
    mine = {name: value for name, value in os.environ.items() if not name.startswith("LOSSATLAS_")}
    outcome = subprocess.run(
        command, check=False, cwd=ROOT, env=mine, capture_output=True, text=True
    )
    assert outcome.returncode == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert "the extra 'tracing'" in outcome.stderr
    assert "--extra tracing" in outcome.stderr


def test_a_part_of_the_extra_that_is_missing_is_named(
    tiny_registry: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.asgi", None)
    assert main([f"--registry={tiny_registry}", "--tracing=otlp", "--port=0"]) == 2
    said = capsys.readouterr().err
    assert "the extra 'tracing'" in said
    assert "opentelemetry.instrumentation.asgi" in said
