"""Metrics that workers share, in processes of their own: prometheus-client decides at import."""

import os
import subprocess
import sys
from pathlib import Path

ENDED = """
from prometheus_client import CollectorRegistry
from service.http.observability.metrics import Metrics
metrics = Metrics()
metrics.count_request("/embed", "POST", 200, 0.001)
metrics._info.labels("arcface", "1", "CPU").set(1)
"""
NEW = """
from service.http.observability.metrics import Metrics, forget_ended_workers
forget_ended_workers()
print(Metrics().exposition().decode())
"""


def run(code: str, shared: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(shared)},
    ).stdout


def test_what_an_ended_worker_counted_stays_and_what_it_was_goes(tmp_path: Path) -> None:
    run(ENDED, tmp_path)
    assert any(file.name.startswith("gauge_live") for file in tmp_path.iterdir())
    said = run(NEW, tmp_path)
    assert 'lossatlas_requests_total{method="POST",route="/embed",status="200"} 1.0' in said
    assert "lossatlas_model_ready{" not in said
