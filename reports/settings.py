"""The setting of a comparison in words: data, network, length, convergence."""

from models.comparison import ComparisonReport
from reports.words import and_


def setting(report: ComparisonReport) -> str:
    """Describe it in a line, such as `cifar10-jpeg, compact, 6 epochs, 5 seeds`."""
    study = report.protocol
    length = f"{study.epochs} epoch{'' if study.epochs == 1 else 's'}"
    return f"{report.dataset.name}, {network(report)}, {length}, {study.seeds} seeds"


def network(report: ComparisonReport) -> str:
    """The backbone, with its widths where the recipe names them, as `airbench 24-96-96`."""
    widths = report.protocol.recipe.get("widths")
    named = "-".join(str(one) for one in widths) if isinstance(widths, list) else ""
    return f"{report.protocol.backbone} {named}".rstrip()


def convergence(report: ComparisonReport) -> str:
    """Say how many of the runs had converged, where that is known."""
    found, runs = report.converged_runs, report.runs
    if found is None:
        return "whether its runs had converged was not recorded"
    return (
        f"all {runs} runs had converged"
        if found == runs
        else f"{found} of {runs} runs had converged"
    )


def differing(first: ComparisonReport, second: ComparisonReport) -> str:
    """Say what differs between the settings of two comparisons: what may explain their answers."""
    here, there = _facts(first), _facts(second)
    found = [f"{name} ({here[name]}; {there[name]})" for name in here if here[name] != there[name]]
    both = f"{first.name} and {second.name}"
    if not found:
        return f"{both} have the same setting: chance alone, or what no record holds, parts them."
    if len(found) == 1:
        return f"{both} differ in the {found[0]} alone."
    return f"{both} differ in the {and_(found)}: no one of these can be named as the reason."


def _facts(report: ComparisonReport) -> dict[str, str]:
    study = report.protocol
    share = study.trials_per_value
    trials = f"{study.trials} trials" if share is None else f"{share} trials a value"
    return {
        "data": report.dataset.name,
        "network": f"{network(report)}, {study.embedding_size} dimensions",
        "epochs": str(study.epochs),
        "optimizer": f"{study.optimiser}, batches of {study.batch_size}",
        "tuning": f"{trials} of {study.tuning_epochs} epochs",
        "seeds": str(study.seeds),
    }
