"""The summary that a command prints at its end."""

from rich.console import Console

from models.files import SkippedFiles
from service.cli import INTERRUPTED
from service.cli.ingest import IngestSummary

GO_ON = "interrupted; the same command goes on from here"
_MOST_FAULTS = 20


def print_summary(out: Console, tally: IngestSummary, collection: str) -> int:
    """Say what came of the items; the exit status."""
    for fault in tally.faults[:_MOST_FAULTS]:
        out.print(printable(f"not taken: {fault.id}: {fault.reason}"))
    if len(tally.faults) > _MOST_FAULTS:
        out.print(f"and {len(tally.faults) - _MOST_FAULTS:,} more")
    counts = {
        "added": tally.added,
        "replaced": tally.replaced,
        "there already": tally.present,
        "not taken": len(tally.faults),
    }
    counted = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    out.print(f"collection {collection}: {counted or 'nothing to do'}")
    if tally.stopped:
        out.print(GO_ON)
        return INTERRUPTED
    return 1 if tally.faults else 0


def tell_passed(out: Console, passed: SkippedFiles) -> None:
    """Say what a listing passed over, a line for each reason."""
    if passed.files:
        out.print(f"passed over, since their names are not those of images: {passed.files:,}")
    for folders, why in (
        (passed.clutter, "folders that other programs made"),
        (passed.links, "links to folders that are listed already"),
    ):
        if folders:
            more = f" and {len(folders) - _MOST_FAULTS:,} more" if folders[_MOST_FAULTS:] else ""
            named = printable(", ".join(folders[:_MOST_FAULTS]))
            out.print(f"passed over, {why}: {named}{more}")


def printable(text: str) -> str:
    """The text without control characters and halves of characters, as names of files have."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
