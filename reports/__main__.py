"""`python -m reports`: print what was found, in Markdown, or write it into the pages of it."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from models.atomic import replacing
from models.store import Store
from reports.hypotheses import outcomes
from reports.paper import paper
from reports.published import comparisons, of_the_paper
from reports.results import comparison, models, overview, served, updated


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (summary, _) in _PRINTED.items():
        commands.add_parser(name, help=summary)
    update = commands.add_parser("update", help="make the marked pieces of pages anew")
    update.add_argument("pages", type=Path, nargs="+", metavar="PAGE")
    for command in commands.choices.values():
        command.add_argument(
            "--registry", type=Path, default=Path("models/registry"), metavar="DIR"
        )
    options = parser.parse_args(arguments)
    store = Store(options.registry)
    try:
        if options.command == "update":
            _update(options.pages, store)
        else:
            sys.stdout.write(_PRINTED[options.command][1](store) + "\n")
    except LookupError as error:
        sys.exit(f"error: {error}")


def _update(pages: list[Path], store: Store) -> None:
    for page in pages:
        text = updated(page.read_text(), store)
        with replacing(page) as file:
            file.write_text(text)


def _tables(store: Store) -> str:
    if not store.comparison_names():
        return models(store)
    return f"{comparison(store)}\n\n{models(store)}"


def _paper(store: Store) -> str:
    return paper(of_the_paper(store)).rstrip()


def _hypotheses(store: Store) -> str:
    return outcomes(comparisons(store))


_PRINTED: dict[str, tuple[str, Callable[[Store], str]]] = {
    "table": ("print the comparison and the published models, in Markdown", _tables),
    "comparison": ("print the comparison alone", comparison),
    "models": ("print the published models alone", models),
    "overview": ("print the losses side by side, with a sentence for each goal", overview),
    "served": ("print the models that answer by default", served),
    "hypotheses": ("print what came of the protocol's hypotheses", _hypotheses),
    "paper": ("print docs/paper.md from the comparison that is nearest to it", _paper),
}


if __name__ == "__main__":
    main()
