"""New classes without training: some pictures a class put, evaluated, and others classified.

python -m benchmarks.serving.new_classes --address http://127.0.0.1:8000 --data DIR

DIR has a folder of images for each class. Classes and images are in sorted order; the first
`--items` of a class are put, the next `--asked` are classified. Images of `--strangers` are of
classes that the collection does not have.
"""

import base64
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

_PATIENCE_S = 600
_AT_ONCE = 100


def main() -> None:
    """Run it and print a table in Markdown."""
    asked = _arguments()
    with httpx.Client(base_url=asked.address, timeout=_PATIENCE_S) as client:
        address = f"/collections/{asked.collection}"
        client.delete(address)
        made = client.put(address, json={"loss": asked.loss, "version": asked.version})
        made.raise_for_status()
        folders = sorted(one for one in asked.data.iterdir() if one.is_dir())[: asked.classes]
        for folder in folders:
            items = [_item(folder, path) for path in _images(folder)[: asked.items]]
            client.post(f"{address}/items", json={"items": items}).raise_for_status()
        evaluation = client.get(f"{address}/evaluation").raise_for_status().json()
        fresh = [
            (folder.name, path)
            for folder in folders
            for path in _images(folder)[asked.items : asked.items + asked.asked]
        ]
        said = _classified(client, asked, [path for _, path in fresh])
        found = sorted(asked.strangers.rglob("*.*")) if asked.strangers else []
        strangers = found[:: asked.every]
        rejected = _classified(client, asked, strangers[: asked.most_strangers])
    right = np.array([one["label"] == label for one, (label, _) in zip(said, fresh, strict=True)])
    _print(asked, evaluation, said, right, rejected)


def _print(
    asked: Namespace,
    evaluation: dict[str, Any],
    said: list[dict[str, Any]],
    right: np.ndarray,
    rejected: list[dict[str, Any]],
) -> None:
    given = np.array([one["probability"] for one in said])
    bins = np.minimum((given * 15).astype(int), 14)
    ece = np.abs(np.bincount(bins, right - given, 15)).sum() / len(given)
    accuracy, unknown = evaluation["accuracy"], evaluation["unknown"] or {}
    lines = [
        (
            "classes, items each, images asked",
            f"{len(evaluation['per_label'])}, {asked.items}, {len(said):,}",
        ),
        ("accuracy promised (each item left out)", _interval(accuracy)),
        ("accuracy measured", f"{right.mean():.1%}"),
        ("mean probability, calibration error measured", f"{given.mean():.1%}, {ece:.1%}"),
    ]
    if unknown:
        called = np.mean([one["unknown"] for one in said])
        lines.append(("known called unknown, promised", _interval(unknown["known_called_unknown"])))
        lines.append(("known called unknown, measured", f"{called:.1%}"))
        lines.append(("strangers noticed, promised (labels left out)",
                      _interval(unknown["strangers_called_unknown"])))  # fmt: skip
    if rejected and unknown:
        share = np.mean([one["unknown"] for one in rejected])
        lines.append((f"strangers noticed, measured ({len(rejected):,})", f"{share:.1%}"))
    for name, value in lines:
        sys.stdout.write(f"| {name} | {value} |\n")


def _interval(found: dict[str, float]) -> str:
    return f"{found['value']:.1%} ({found['low']:.1%} to {found['high']:.1%})"


def _classified(client: httpx.Client, asked: Namespace, paths: list[Path]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for start in range(0, len(paths), _AT_ONCE):
        files = [("image", (one.name, one.read_bytes())) for one in paths[start : start + _AT_ONCE]]
        answer = client.post("/classify", params={"collection": asked.collection}, files=files)
        found += answer.raise_for_status().json()["predictions"]
    return found


def _item(folder: Path, path: Path) -> dict[str, str]:
    image = base64.b64encode(path.read_bytes()).decode()
    return {"id": f"{folder.name}/{path.name}", "label": folder.name, "image": image}


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--data", type=Path, required=True, help="a folder of class folders")
    parser.add_argument("--strangers", type=Path, help="a folder of images of other classes")
    parser.add_argument("--loss", default="arcface")
    parser.add_argument("--version", type=int)
    parser.add_argument("--classes", type=int, default=1_000)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--asked", type=int, default=50)
    parser.add_argument("--every", type=int, default=10, help="one stranger of so many files")
    parser.add_argument("--most-strangers", type=int, default=500)
    parser.add_argument("--collection", default="new-classes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
