"""`python -m models`: write the JSON Schemas anew, or print the results as a table."""

import argparse
import sys
from pathlib import Path

from models.schemas import write_schemas
from models.store import Store
from models.table import results_table


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    schema = commands.add_parser("schema", help="write manifest.schema.json and report.schema.json")
    schema.add_argument("--into", type=Path, default=Path(__file__).parent, metavar="DIR")
    table = commands.add_parser(
        "table", help="print the published models side by side, in Markdown"
    )
    table.add_argument("--registry", type=Path, default=Path("models/registry"), metavar="DIR")
    options = parser.parse_args(arguments)
    if options.command == "table":
        sys.stdout.write(results_table(Store(options.registry)) + "\n")
        return
    for file in write_schemas(options.into):
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
