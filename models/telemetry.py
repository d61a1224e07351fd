"""Libraries below us that send usage data to their makers unless the environment forbids it."""

import os

# Each reads its variable when it is imported or first used.
SWITCHES = {
    "DO_NOT_TRACK": "true",  # MLflow, Hugging Face's hub, and whatever else respects it
    "FASTAPI_OTEL_AUTO_CONFIGURE": "false",  # spans, metrics and logs to OTEL_EXPORTER_OTLP_*
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # onnxruntime 1.31 makes ~/.cache/Microsoft/DeveloperTools/.onnxruntime with a device id and a
    # queue when it is imported, and looks its collector up after 9 s (strace, Linux x86-64).
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def send_nothing() -> None:
    """Switch it off in this process and those that it starts, whatever the environment says.

    Each package calls it in its `__init__`, which Python runs before any module of the package
    and so before the first import of such a library.
    """
    os.environ.update(SWITCHES)
