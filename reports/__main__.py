"""`python -m reports`: print what was found, in Markdown."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from models.store import Store
from reports.paper import paper
from reports.table import comparison_table, results_table


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (summary, _) in _PRINTED.items():
        printed = commands.add_parser(name, help=summary)
        printed.add_argument(
            "--registry", type=Path, default=Path("models/registry"), metavar="DIR"
        )
    options = parser.parse_args(arguments)
    sys.stdout.write(_PRINTED[options.command][1](Store(options.registry)) + "\n")


def _tables(store: Store) -> str:
    compared = store.comparison()
    tables = [comparison_table(compared)] if compared else []
    versions = {version for name in store.names() for version in store.versions(name)}
    newest_first = sorted(versions, reverse=True)
    return "\n\n".join([*tables, *(results_table(store, version) for version in newest_first)])


def _paper(store: Store) -> str:
    compared = store.comparison()
    if compared is None:
        sys.exit("error: no comparison is published; run: python -m training compare")
    return paper(compared).rstrip()


_PRINTED: dict[str, tuple[str, Callable[[Store], str]]] = {
    "table": ("print the losses and the published models side by side, in Markdown", _tables),
    "paper": ("print docs/paper.md from the published comparison", _paper),
}


if __name__ == "__main__":
    main()
