"""The packages whose versions decide how fast a server is."""

PACKAGES = (
    "fastapi",
    "httptools",
    "litserve",
    "mosec",
    "multipart",
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "orjson",
    "pillow",
    "python-multipart",
    "simplejpeg",
    "starlette",
    "uvicorn",
    "uvloop",
)
