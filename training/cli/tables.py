"""The choices of studies, in lines for the terminal."""

from collections.abc import Sequence

from training.tuning.space import starting_values
from training.tuning.tune import Tuning

_HEAD = ("loss", "trials", "epochs", "tuning accuracy", "first trial", "chosen (recipe's own)")


def tuning_table(studies: Sequence[Tuning], classes: int) -> list[str]:
    """A line for each study under a head, columns aligned; budgets show as epochs.

    A chosen value in the outer tenth of its range is marked with !: the range may be too narrow.
    """
    rows = [_HEAD, *(_row(study, classes) for study in studies)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _row(study: Tuning, classes: int) -> tuple[str, ...]:
    tried, start = study.tried(classes), starting_values(study.start)
    accuracies = [trial.tuning_accuracy for trial in tried.trials]
    best = max(accuracy for accuracy in accuracies if accuracy is not None)
    chosen = (
        f"{name} {value:.3g}{'!' if name in tried.at_edge else ''} ({start[name]:.3g})"
        for name, value in tried.chosen.items()
    )
    return (
        tried.loss,
        str(len(tried.trials)),
        str(study.epochs_spent()),
        f"{best:.2%}",
        "diverged" if accuracies[0] is None else f"{accuracies[0]:.2%}",
        ", ".join(chosen),
    )
