"""`python -m training embed`: a folder of images into Parquet files of embeddings."""

import re
import shlex
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from models.store import Store
from reports.progress import console, showing
from training.cli import numbers
from training.cli.options import say
from training.errors import ExtraMissing, Interrupted, InvalidDataset

if TYPE_CHECKING:
    from training.bulk.engines import BulkEngine, EngineTask


class ModelName(NamedTuple):
    """The value of `--model`; without a version it is the newest."""

    name: str
    version: int | None


def add_embed_options(step: ArgumentParser) -> None:
    """Give the step's parser its options."""
    add = step.add_argument
    add(
        "--model",
        required=True,
        type=_model_name,
        metavar="NAME[@VERSION]",
        help="a published model; the newest version by default",
    )
    add(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="every image below it is embedded, its path inside being its id",
    )
    add("--out", required=True, type=Path, metavar="DIR", help="folder for what comes out")
    add("--registry", type=Path, default=Path("models/registry"), help="of published models")
    add(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="threads of this process (default), or Ray Data on a cluster; the same rows",
    )
    add(
        "--address",
        metavar="HOST:PORT|auto",
        help="of a running Ray cluster; without it `--engine ray` starts Ray on this machine",
    )
    add(
        "--batch",
        type=numbers.whole(1, 65_536),
        default=64,
        help="images in one run of the graph (default 64)",
    )
    add(
        "--workers",
        type=numbers.whole(1, 1_024),
        help="one processor each; by default all that there are",
    )
    add(
        "--shard",
        type=numbers.whole(1, 10_000_000),
        default=8192,
        help="images in one Parquet file, and the most that an interruption costs (default 8192)",
    )


def embed_folder(options: Namespace) -> None:
    """Embed what is not in `--out` yet."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ExtraMissing("embed", "parquet", error) from None
    from training.bulk.embedder import Model
    from training.bulk.engines import EngineTask
    from training.bulk.job import EmbeddingJob, Sizes

    bundle = Store(options.registry).load(*options.model)
    total = _count(options.data)
    work = EngineTask(options.data.resolve(), Model.of(bundle), options.workers)
    sizes = Sizes(options.batch, options.shard)
    command = shlex.join(["python", "-m", "training", *sys.argv[1:]])
    with (
        closing(_engine(options, work)) as engine,
        showing(console(), "embedding", total, "images") as advance,
    ):
        try:
            made = EmbeddingJob(options.data, options.out, bundle, sizes, advance).run(
                engine, command
            )
        except KeyboardInterrupt:
            message = f"interrupted; the same command goes on with what is in {options.out}"
            raise Interrupted(message) from None
    say(f"{options.out}: {made.n:,} embeddings of {made.model}/{made.version}")
    if made.n_failed:
        say(f"not embedded: {made.n_failed:,} files, listed in {options.out / 'errors.jsonl'}")


def _engine(options: Namespace, work: "EngineTask") -> "BulkEngine":
    if options.engine == "ray":
        from training.bulk.cluster import RayEngine

        return RayEngine(work, options.address)
    from training.bulk.engines import LocalEngine

    return LocalEngine(work)


def _count(folder: Path) -> int:
    from training.bulk.listing import count_files

    if not folder.is_dir():
        raise InvalidDataset(f"there is no folder {folder}")
    try:
        total = count_files(folder)
    except OSError as error:
        raise InvalidDataset(f"{error.filename} cannot be read: {error.strerror}") from error
    if not total:
        raise InvalidDataset(f"the folder must have an image in it: {folder}")
    return total


def _model_name(text: str) -> ModelName:
    found = re.fullmatch(r"([^@]+)(?:@([1-9][0-9]*))?", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not NAME or NAME@VERSION, such as arcface@1")
    return ModelName(found[1], int(found[2]) if found[2] else None)
