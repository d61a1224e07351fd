"""TensorBoard's event files: `tensorboard/` in the run folder."""

from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from training.loop.tracking.mlflow_place import EVENTS
from training.loop.tracking.tracker import Ending, EpochRow, StepRow, TrackingStart


class TensorBoardTracker:
    """Scalars over the run's steps, the doctor's findings as text, the recipe as hyperparameters.

    A resumed run adds a file to the folder, whose first record tells TensorBoard to forget what
    earlier files say about later steps.
    """

    def __init__(self, start: TrackingStart) -> None:
        path = start.folder / EVENTS
        fresh = not path.is_dir()
        forget_from = None if start.step is None else start.step + 1
        self._writer = SummaryWriter(str(path), purge_step=forget_from)
        if fresh:
            metrics = {"epoch/tuning_accuracy": 0.0, "test_accuracy": 0.0}
            for summary in hparams(start.parameters(), metrics):
                self._writer._get_file_writer().add_summary(summary, 0)
            self._writer.add_text("recipe", _fenced(start.record.recipe.to_toml()), 0)
            self._writer.add_text("command", _fenced(start.record.command), 0)

    def step(self, row: StepRow) -> None:
        """Three scalars."""
        self._add(row.step, row.scalars())

    def epoch(self, row: EpochRow) -> None:
        """The epoch's scalars at its last step, and a text for each finding."""
        self._add(row.step, row.scalars())
        if row.findings:
            self._writer.add_text("findings", "\n\n".join(row.findings_text()), row.step)
        self._writer.flush()

    def result(self, name: str, value: float) -> None:
        """A scalar that belongs to the run as a whole, at step 0."""
        self._writer.add_scalar(name, value, 0)

    def close(self, ending: Ending) -> None:  # noqa: ARG002 - TensorBoard knows no endings
        """Write out what is left."""
        self._writer.close()

    def _add(self, step: int, scalars: dict[str, float]) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)


def _fenced(text: str) -> str:
    return f"```\n{text}\n```"
