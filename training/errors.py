"""The errors of training, as facts and a next step. No exit codes."""


class TrainingError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidRecipe(TrainingError):
    """A recipe, or a loss's parameters, cannot work as written."""


class InvalidWeights(TrainingError):
    """The weights that a backbone should start from cannot be had, or are of another one."""


class InvalidDataset(TrainingError):
    """The data set is not where or what it should be."""


class CalibrationImagesRead(TrainingError):
    """Something other than calibration reached for the calibration split."""


class InvalidRun(TrainingError):
    """A run folder lacks what the step needs, or belongs to another recipe or data set."""


class InvalidMachine(TrainingError):
    """This machine cannot train as it was asked to."""


class Diverged(TrainingError):
    """The loss, or a gradient, stopped being a finite number."""


class Interrupted(TrainingError):
    """Training was stopped by a signal, after a resumable checkpoint was written."""


class StillTraining(TrainingError):
    """Another process has not finished its share of the work."""


class ExportMismatch(TrainingError):
    """The exported graph does not answer as the trained network does."""


class InvalidOutput(TrainingError):
    """The folder that results should go into is in use, or holds something else."""


class ClusterFailed(TrainingError):
    """A Ray cluster cannot be joined, or cannot go on."""


class AuditFailed(TrainingError):
    """An audit found more of a kind than `--fail-on` lets pass; its files were written."""


class ExtraMissing(TrainingError):
    """A package is not installed that only this option needs."""

    def __init__(self, what: str, extra: str, reason: ImportError) -> None:
        super().__init__(
            f"{what} needs the extra {extra!r}, which is not installed ({reason}); install it "
            f"with 'uv pip install --extra training --extra {extra} -r pyproject.toml'"
        )


class TrackingFailed(TrainingError):
    """A tracker cannot begin; training was not started."""
