# The service and its committed models: no PyTorch, no compiler, no shell scripts.
# Reads with the classic builder as with BuildKit.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS builder
# service: for the processor. service-cuda: adds CUDA and cuDNN (see docker-compose.gpu.yml).
# service-distributed: adds Milvus's client (see docker-compose.yml). service-tracing: OpenTelemetry.
# service-heic: reads HEIC photographs (see docs/api.md for what its license asks).
ARG LOCK=service
WORKDIR /build
COPY requirements/uv.txt requirements/${LOCK}.txt ./
RUN python -m venv uv && uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r uv.txt
RUN python -m venv --without-pip /venv \
 && uv/bin/uv pip sync --quiet --no-cache --python /venv/bin/python --require-hashes ${LOCK}.txt
# Without CUDA its provider is dead weight: 285 of the environment's 585 MB (onnxruntime-gpu 1.31.1).
RUN [ ${LOCK} = service-cuda ] \
 || rm -f /venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime_providers_cuda.so \
          /venv/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime_providers_tensorrt.so
COPY LICENSE NOTICE THIRD_PARTY.md /app/
COPY models /app/models
COPY reports /app/reports
COPY service /app/service
# The root file system will be read-only: compile now, or every start would compile again.
RUN python -m compileall -q -j 0 /venv /app

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="LossAtlas" \
      org.opencontainers.image.description="Image embedders, one for each loss, over HTTP" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    ORT_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=true \
    LOSSATLAS_HOST=0.0.0.0 \
    LOSSATLAS_PORT=8000 \
    LOSSATLAS_DATA_DIR=/data
RUN /usr/sbin/useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin lossatlas \
 && install --directory --owner lossatlas --group lossatlas /data
COPY --from=builder /venv /venv
COPY --from=builder /app /app
WORKDIR /app
USER lossatlas
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-m", "service.health"]
CMD ["python", "-m", "service"]
