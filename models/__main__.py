"""`python -m models`: which version of a published model answers, and the JSON Schemas.

`promote` and `rollback` write the registry's aliases.json. A running service takes it up on SIGHUP
(`kill -HUP`) or `POST /admin/reload`.
"""

import argparse
import sys
from pathlib import Path

from models.aliases import Aliases, current_versions, promote, propose, read_aliases, roll_back
from models.errors import ModelsError
from models.schemas import write_schemas
from models.store import Store
from models.version import VERSION


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run it; 1 with one line where it cannot be done."""
    chosen = _parser().parse_args(arguments)
    try:
        lines = chosen.do(chosen)
    except ModelsError as error:
        sys.stderr.write(f"python -m models: {error}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description=__doc__)
    parser.add_argument("--version", action="version", version=f"LossAtlas {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    schema = commands.add_parser("schema", help="write the JSON Schemas")
    schema.add_argument("--into", type=Path, default=Path(__file__).parent, metavar="DIR")
    schema.set_defaults(do=_write_schemas)
    listing = commands.add_parser("list", help="list the models, their versions and aliases")
    up = commands.add_parser("promote", help="let this version answer where none is named")
    up.add_argument("name")
    up.add_argument("version", type=int)
    up.add_argument(
        "--as",
        dest="alias",
        choices=("current", "candidate"),
        default="current",
        help="candidate: try it beside the current one (default: current)",
    )
    back = commands.add_parser("rollback", help="let the version answer that did so before")
    back.add_argument("name")
    for command, do in ((listing, _list), (up, _promote), (back, _roll_back)):
        command.add_argument(
            "--registry", type=Path, default=Path("models/registry"), metavar="DIR"
        )
        command.set_defaults(do=do)
    return parser


def _write_schemas(chosen: argparse.Namespace) -> list[str]:
    return [str(file) for file in write_schemas(chosen.into)]


def _list(chosen: argparse.Namespace) -> list[str]:
    store = Store(chosen.registry)
    aliases = read_aliases(store.root)
    return [
        f"{name}: version {version} answers; published: {_shown(store.versions(name))}"
        + _candidate(aliases.get(name, Aliases()))
        for name, version in current_versions(store).items()
    ]


def _promote(chosen: argparse.Namespace) -> list[str]:
    store = Store(chosen.registry)
    if chosen.alias == "candidate":
        propose(store, chosen.name, chosen.version)
        return [f"{chosen.name}: version {chosen.version} is the candidate"]
    after = promote(store, chosen.name, chosen.version)
    return [f"{chosen.name}: version {after.current} answers from the next reload on"]


def _roll_back(chosen: argparse.Namespace) -> list[str]:
    after = roll_back(Store(chosen.registry), chosen.name)
    return [f"{chosen.name}: version {after.current} answers again from the next reload on"]


def _candidate(aliases: Aliases) -> str:
    return f"; candidate: {aliases.candidate}" if aliases.candidate is not None else ""


def _shown(versions: tuple[int, ...]) -> str:
    return ", ".join(map(str, versions))


if __name__ == "__main__":
    sys.exit(main())
