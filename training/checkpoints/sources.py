"""Folders that a backbone can start from: an earlier run, or one version of a published model."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from torch import Tensor

from models.manifest import FirstWeights
from training.checkpoints.published import backbone_state, is_published, model_file, published
from training.checkpoints.run import RunFolder
from training.checkpoints.state import kept_weights
from training.errors import InvalidWeights
from training.networks import airbench, compact
from training.networks.normalize import SMOOTHING

_BACKBONE = "backbone."
_NORMALIZE = "0."
_BEHIND_NORMALIZE = "1."
_SHAPES: Mapping[str, Callable[[Mapping[str, Tensor]], dict[str, object]]] = {
    "airbench": airbench.shape_of,
    "compact": compact.shape_of,
}


class RunStart:
    """The backbone of an earlier run, and what is known of it."""

    def __init__(self, path: Path) -> None:
        self._folder = RunFolder(path)
        self._recipe = self._folder.record().recipe

    @property
    def file(self) -> Path:
        """Its checkpoint."""
        return self._folder.checkpoint_path

    @property
    def size_px(self) -> int:
        """Height and width of the images that it takes."""
        return self._recipe.size_px

    @property
    def first_weights(self) -> FirstWeights | None:
        """Return the weights by others that the network began with; None where unknown."""
        return self._recipe.first_weights

    @property
    def shape(self) -> dict[str, object]:
        """The fields of a recipe that say what backbone it is."""
        recipe = self._recipe
        shape: dict[str, object] = {
            "backbone": recipe.backbone,
            "widths": recipe.widths,
            "depth": recipe.depth,
            "enlarged_px": recipe.enlarged_px,
        }
        return shape | ({"smooth_chroma": True} if recipe.smooth_chroma else {})

    def seen(self, left_out: tuple[str, ...]) -> frozenset[str]:
        """The classes among those left out that it was trained on.

        All but what it left out itself: it is taken to be of the same data set.
        """
        return frozenset(left_out) - frozenset(self._recipe.leave_out)

    def state(self) -> Mapping[str, Tensor]:
        """The tensors that it kept. Raises InvalidWeights where its trunk was frozen."""
        if self._recipe.frozen:
            raise InvalidWeights(
                f"{self._folder.path} was trained on a frozen trunk; name that trunk instead: "
                f"--backbone {self._recipe.backbone} --weights {self._recipe.weights}"
            )
        state = kept_weights(self._folder.load(self.file))
        ours = [key for key in state if key.startswith(_BACKBONE)]
        return {key.removeprefix(_BACKBONE): state[key] for key in ours}


class ModelStart:
    """The same of a published model. Everything may raise InvalidWeights."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._manifest = published(path).manifest

    @property
    def file(self) -> Path:
        """Its ONNX file."""
        return model_file(self._path)

    @property
    def size_px(self) -> int:
        """Height and width of the images that it takes."""
        return self._manifest.preprocess.size_px

    @property
    def first_weights(self) -> FirstWeights | None:
        """The same of the model."""
        return self._manifest.first_weights

    @property
    def shape(self) -> dict[str, object]:
        """The same, read off its tensors: the manifest names the backbone alone."""
        name, state = self._manifest.backbone, self.state()
        if name not in _SHAPES:
            raise InvalidWeights(
                f"the model in {self._path} has a backbone that is unknown here: {name}"
            )
        behind = {
            key.removeprefix(_BEHIND_NORMALIZE): tensor
            for key, tensor in state.items()
            if key.startswith(_BEHIND_NORMALIZE)
        }
        shape: dict[str, object] = {"backbone": name, **_SHAPES[name](behind)}
        return shape | ({"smooth_chroma": True} if f"{_NORMALIZE}{SMOOTHING}" in state else {})

    def seen(self, left_out: tuple[str, ...]) -> frozenset[str]:
        """The classes among those left out that it can answer."""
        return frozenset(left_out) & frozenset(self._manifest.labels)

    def state(self) -> Mapping[str, Tensor]:
        """Its tensors, batch norms folded."""
        return self._state

    @cached_property
    def _state(self) -> Mapping[str, Tensor]:
        return backbone_state(self._path)


def open_source(path: Path) -> RunStart | ModelStart:
    """Open the earlier run or published model of the folder. Raises InvalidWeights without one."""
    if is_published(path):
        return ModelStart(path)
    if RunFolder(path).started:
        return RunStart(path)
    raise InvalidWeights(
        f"{path} holds neither a run nor one version of a published model, as "
        "models/registry/NAME/1 does"
    )
