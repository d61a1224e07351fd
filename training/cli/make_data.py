"""`python -m training data`: public data sets as folders, made from files on this machine."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from reports.progress import console, showing
from training.cli import numbers
from training.cli.options import say
from training.data import fashion_mnist


def add_make_data_options(step: ArgumentParser) -> None:
    """Give the step's parser its options."""
    kinds = step.add_subparsers(dest="kind", required=True, metavar="KIND")
    glyphs = kinds.add_parser(
        "glyphs", help="characters in this machine's fonts: many classes, few images each"
    )
    glyphs.add_argument(
        "--fonts", type=Path, default=Path("/usr/share/fonts"), help="folder of font files"
    )
    glyphs.add_argument(
        "--train-images",
        type=numbers.whole(1, 1_000_000),
        default=30,
        help="most of a class (default 30)",
    )
    glyphs.add_argument(
        "--test-images",
        type=numbers.whole(1, 1_000_000),
        default=20,
        help="most of a class (default 20)",
    )
    fashion = kinds.add_parser(
        "fashion-mnist", help="Fashion-MNIST from Debian's package dataset-fashion-mnist"
    )
    fashion.add_argument(
        "--source",
        type=Path,
        default=fashion_mnist.SOURCE,
        help="folder of the four files *-ubyte.gz",
    )
    for kind in (glyphs, fashion):
        kind.add_argument("--out", type=Path, required=True, help="a folder that does not exist")


def make_data(options: Namespace) -> None:
    """Write the data set as a folder of images."""
    if options.kind == "glyphs":
        _make_glyphs(options)
    else:
        with showing(console(), "writing", 70_000, "images") as advance:
            fashion_mnist.write_fashion_mnist(options.source, options.out, advance)
    say(f"{options.out}: ready for --data {options.out}")


def _make_glyphs(options: Namespace) -> None:
    from training.data.glyphs import CHARACTERS, find_faces, split_faces, write_glyphs

    faces = split_faces(find_faces(options.fonts))
    most = {"train": options.train_images, "test": options.test_images}
    parts = {part: faces[part][: most[part]] for part in faces}
    n = {part: len(chosen) for part, chosen in parts.items()}
    say(
        f"{len(CHARACTERS)} classes; of each {n['train']} training and {n['test']} test images, "
        "in fonts of different designs"
    )
    with showing(console(), "drawing", len(CHARACTERS) * sum(n.values()), "images") as advance:
        write_glyphs(parts, options.out, advance)
