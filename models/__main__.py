"""`python -m models schema`: write the JSON Schemas anew."""

import argparse
import sys
from pathlib import Path

from models.schemas import write_schemas


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    schema = commands.add_parser("schema", help="write the JSON Schemas")
    schema.add_argument("--into", type=Path, default=Path(__file__).parent, metavar="DIR")
    for file in write_schemas(parser.parse_args(arguments).into):
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
