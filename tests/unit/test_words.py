"""Words: how docstrings begin, and what docstrings, messages and pages do not say."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("service", "training", "models", "reports", "benchmarks", "tests")
DATED = ("docs/measurements/", "docs/protocol.md", "models/registry/", "CHANGELOG.md")
QUOTES = ("docs/results.md",)  # sentences of the published comparison, as it was summed up
KEPT = re.compile(  # fields of published reports, whose names stay
    r"neighbours?(_accuracy|_agreement)?\b|NeighbourAccuracy|\boptimiser\b|FastAPI by hand"
)
CLAUSE = re.compile(r"(What|Whether|Where|How|Who|Whom|Whose|Which|When|Why|Whoever|Whatever)\b")
BANNED = {
    r"\btold\b": "say what was said, shown or distinguished",
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bby turns\b": "in alternation, or in order",
    r"\b(at|by) hand\b": "available, or hand-written",
    r"[;,] there (is|are): ": "available:",
    r"\b(is|are) no (number|text|object|file|list|integer)\b": "is not a",
    r"(^|[.;] )Who(ever)? (is|has|was|dies|fails|asks|writes|reads|waits)\b": "name the subject",
    r"\b(colour|neighbour|behaviour|favour|honour|centre[sd]?\b|grey|licence)": "colors, centers",
    r"(normal|optim|recogn|initial|serial|standard|summar|minim|maxim|organ)is(e|ing|a)": "-ize",
    r"\b(labelled|learnt|spelt|misspelt|towards|whilst)\b": "labeled, learned, spelled, toward",
}

_WITH_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documents() -> Iterator[tuple[str, str]]:
    """Each page that people read, by its path."""
    listed = subprocess.check_output(["git", "ls-files", "*.md", "*.html"], cwd=ROOT, text=True)
    for path in listed.splitlines():
        if not path.startswith(DATED + QUOTES):
            yield path, (ROOT / path).read_text()


@pytest.fixture(scope="module")
def modules() -> list[tuple[str, ast.Module]]:
    """Every module, with its path."""
    return list(_modules())


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path != Path(__file__):
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each docstring with its line."""
    for node in ast.walk(tree):
        if isinstance(node, _WITH_DOCSTRING) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text


def texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Each string of more than one word with its line: docstrings, messages, descriptions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def faults(place: str, text: str) -> Iterator[str]:
    """Each banned word in the text."""
    text = KEPT.sub("", text)
    for pattern, better in BANNED.items():
        if found := re.search(pattern, text, re.MULTILINE):
            yield f"{place}: {found[0]!r}: {better}"


def test_docstrings_begin_with_a_verb_or_a_noun(modules: list[tuple[str, ast.Module]]) -> None:
    clauses = [
        f"{path}:{line}: {text.splitlines()[0]}"
        for path, tree in modules
        for line, text in docstrings(tree)
        if CLAUSE.match(text)
    ]
    assert not clauses, "\n".join(clauses)


def test_docstrings_and_messages_are_in_plain_american_english(
    modules: list[tuple[str, ast.Module]],
) -> None:
    found = [
        fault
        for path, tree in modules
        for line, text in texts(tree)
        for fault in faults(f"{path}:{line}", text)
    ]
    assert not found, "\n".join(found)


def test_pages_are_in_plain_american_english() -> None:
    found = [
        fault
        for path, page in documents()
        for at, line in enumerate(page.splitlines(), 1)
        for fault in faults(f"{path}:{at}", line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "no model 'x'; there is: a, b",
        "all losses are told apart",
        "what to mend",
        "Two ways, by turns.",
        "no GPU was at hand",
        "the colour of the centre",
        "labelled images are normalised",
        "Who dies is replaced.",
        "the label is no text",
    ],
)
def test_the_rules_find_the_old_sentences(text: str) -> None:
    assert list(faults("here", text))


def test_the_opening_rule_finds_a_clause() -> None:
    tree = ast.parse('def f():\n    """Whether it is."""\n')
    assert [CLAUSE.match(text) is not None for _, text in docstrings(tree)] == [True]
