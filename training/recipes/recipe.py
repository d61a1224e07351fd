"""The recipe of a training run: one frozen value, read from TOML."""

import tomllib
from pathlib import Path
from typing import Literal

import tomli_w
from pydantic import Field, ValidationError, model_validator

from models.manifest import FirstWeights, Frozen, Preprocess
from training.errors import InvalidRecipe
from training.losses import ALL_LOSSES
from training.losses.balance import Balance

RECIPES = Path(__file__).parents[1] / "recipes"


class Recipe(Frozen):
    """Everything that decides the result, apart from the data and the machine.

    The defaults train any registered loss; `recipes/<loss>.toml` says what differs.
    """

    loss: str
    parameters: dict[str, float] = Field(default={}, description="the loss's own parameters")
    backbone: str = "compact"
    weights: str = Field(
        default="random",
        description="what the backbone starts from: random, lite0, hub, a file, or the folder of a "
        "run or of a published model",
    )
    weights_sha256: str = Field(
        default="", description="of the file that `weights` stood for; others are refused"
    )
    first_weights: FirstWeights | None = Field(
        default=None,
        description="what those weights go back to, where that is known; filled in from `weights`",
    )
    teachers: tuple[str, ...] = Field(
        default=(),
        description="folders of runs whose mean class probabilities take the place of labels",
    )
    teachers_sha256: tuple[str, ...] = Field(
        default=(), description="of their checkpoints, one each; others are refused"
    )
    frozen: bool = Field(
        default=False, description="train a projection of the backbone's features and nothing else"
    )
    views: int = Field(
        default=1, ge=1, description="of each training image, where frozen: all but one augmented"
    )
    widths: tuple[int, ...] = Field(
        default=(), description="channels of the backbone's blocks; empty for its own"
    )
    depth: int | None = Field(
        default=None, ge=1, description="convolutions in each block; none for the backbone's own"
    )
    smooth_chroma: bool = Field(
        default=False,
        description="average color over 3x3 pixels inside the network, and keep brightness sharp: "
        "for training images that were all stored at half the color resolution, as most JPEGs",
    )
    whitening_floor: float = Field(
        default=0.02,
        gt=0,
        description="what airbench's whitening adds to the variance of each direction before it "
        "divides by it, where pixels have unit variance: 0.02 is noise of sd 9 of 255. Recipes "
        "from before it could be chosen have 5e-4",
    )
    embedding_size: int = Field(default=64, ge=1)
    size_px: int = Field(default=32, ge=8)
    enlarged_px: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="smaller images are enlarged to this size inside the network; for timm's",
    )
    epochs: int = Field(default=50, ge=1)
    batch_size: int = Field(default=256, ge=2)
    optimizer: Literal["adamw", "muon"] = Field(
        default="adamw", description="muon moves the convolutions, and AdamW the rest"
    )
    learning_rate: float = Field(default=2e-3, gt=0, description="AdamW's at its peak")
    filter_learning_rate: float = Field(default=0.2, gt=0, description="Muon's at its peak")
    schedule: Literal["one-cycle", "linear"] = Field(
        default="one-cycle", description="how learning rates fall to 0 after the warm-up"
    )
    warmup: float = Field(default=0.2, gt=0, lt=1, description="share of steps up to the peak")
    final_rate: float = Field(
        default=0.0, ge=0, le=1, description="share of the peak that a linear schedule ends at"
    )
    weight_decay: float = Field(default=0.05, ge=0, description="on the backbone's weights only")
    padding_px: int = Field(default=4, ge=0, description="largest shift of an image in training")
    flip: Literal["random", "alternating"] = Field(
        default="random", description="alternating mirrors each image in every other epoch"
    )
    warp: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of training images that are zoomed, stretched and turned a little",
    )
    cutout_px: int = Field(
        default=0, ge=0, description="side of the gray square on each training image; 0 for none"
    )
    blur_px: float = Field(
        default=0.0,
        ge=0,
        le=8,
        description="largest standard deviation, in pixels, of a Gaussian blur that every other "
        "training image has",
    )
    noise_sd: float = Field(
        default=0.0,
        ge=0,
        le=64,
        description="largest standard deviation, of 255, of Gaussian noise on training images; "
        "each draws its own, and every other one has noise in color alone",
    )
    reencode: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of training images that are stored as JPEG anew, of a quality from 30 "
        "to 95, at full or half the color resolution",
    )
    cutmix: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of batches whose images each carry a rectangle of another image, and "
        "count for both classes; for losses that are a mean over images",
    )
    early_px: int | None = Field(
        default=None, ge=8, description="height and width of images early in training, if smaller"
    )
    early_share: float = Field(
        default=0.5, gt=0, lt=1, description="share of steps with images of early_px"
    )
    patience: int = Field(
        default=0,
        ge=0,
        description="epochs without a better one before training stops; the best epoch's weights "
        "are kept; 0 trains all epochs and keeps the last",
    )
    ema: float = Field(
        default=0.0, ge=0, lt=1, description="decay of the weights' moving average; 0 for none"
    )
    fresh_statistics: bool = Field(
        default=False,
        description="batch norms take their statistics from plain images after each epoch",
    )
    holdout: float = Field(
        default=0.1,
        gt=0,
        lt=0.5,
        description="share of training images for tuning; as many again for calibration",
    )
    balance: Balance = Field(
        default="weights", description="rare classes count more, where classes differ in size"
    )
    leave_out: tuple[str, ...] = Field(
        default=(), description="classes that training never sees, to score how they are rejected"
    )
    stored_as: Literal["float32", "float16"] = Field(
        default="float32", description="precision of the weights in the exported file"
    )
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _leave_something_to_see(self) -> "Recipe":
        if self.cutout_px >= self.size_px:
            raise ValueError(
                f"cutout_px {self.cutout_px} would hide images of {self.size_px} px whole"
            )
        return self

    @model_validator(mode="after")
    def _mix_only_images_of_losses_that_allow_it(self) -> "Recipe":
        if self.cutmix and self.frozen:
            raise ValueError("cutmix mixes images, and a frozen trunk is trained on features")
        if self.cutmix and self.loss in ALL_LOSSES and not ALL_LOSSES[self.loss].mixable:
            able = ", ".join(name for name, loss in ALL_LOSSES.items() if loss.mixable)
            raise ValueError(f"{self.loss} takes no images of two classes; cutmix is for {able}")
        return self

    @model_validator(mode="after")
    def _teach_only_what_has_a_softmax_of_its_own(self) -> "Recipe":
        if self.teachers and self.loss != "softmax":
            raise ValueError(
                f"teachers' probabilities stand for labels in softmax's cross-entropy, and "
                f"{self.loss} has none; teach a softmax run, then --trunk or --weights with its "
                "folder"
            )
        if self.teachers and self.frozen:
            raise ValueError("teachers look at images, and a frozen trunk is trained on features")
        if self.teachers_sha256 and len(self.teachers_sha256) != len(self.teachers):
            raise ValueError("teachers_sha256 has one value for each of teachers")
        return self

    @property
    def preprocess(self) -> Preprocess:
        """Return how images become this recipe's input."""
        return preprocess_at(self.size_px)

    @property
    def seen_px(self) -> int:
        """Height and width of what the backbone sees of an image."""
        return max(self.size_px, self.enlarged_px)

    def varied(self, **fields: object) -> "Recipe":
        """The recipe with other values in some fields. Raises InvalidRecipe naming a bad one."""
        return _validated(f"recipe for {self.loss}", self.model_dump() | fields)

    def to_toml(self) -> str:
        """Write the text that `--recipe` reads back."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))


def preprocess_at(size_px: int) -> Preprocess:
    """Return how images become the input of this training.

    Large JPEGs are decoded whole: what half scale does to new embeddings nobody has seen yet.
    """
    return Preprocess(size_px=size_px, half_scale=False)


def load_recipe(loss: str, path: Path | None = None, **overrides: object) -> Recipe:
    """The recipe of a loss: `path`, else its file in `recipes/`, else the defaults.

    `path` may be a file, a folder that holds `<loss>.toml`, or the name of a folder or file in
    `recipes/`, such as `strong` or `compact`. `overrides` that are None are ignored. Raises
    InvalidRecipe naming the field.
    """
    if loss not in ALL_LOSSES:
        raise InvalidRecipe(f"no loss {loss!r}; available: {', '.join(ALL_LOSSES)}")
    source = RECIPES / f"{loss}.toml" if path is None else _found(path, loss)
    written = _read(source) if source.is_file() else {}
    if written.get("loss", loss) != loss:
        raise InvalidRecipe(f"{source.name} is a recipe for {written['loss']}, not for {loss}")
    given = {key: value for key, value in overrides.items() if value is not None}
    return _validated(source.name, {"loss": loss} | written | given)


def _found(path: Path, loss: str) -> Path:
    named = RECIPES / path
    for candidate in (
        path,
        path / f"{loss}.toml",
        named / f"{loss}.toml",
        named.with_name(f"{named.name}.toml"),
    ):
        if candidate.is_file():
            return candidate
    shipped = ", ".join(
        sorted(
            one.stem
            for one in RECIPES.iterdir()
            if any(one.glob("*.toml")) or (one.suffix == ".toml" and one.stem not in ALL_LOSSES)
        )
    )
    raise InvalidRecipe(
        f"there is no recipe file {path}, nor a recipe for {loss} in a folder of that name; "
        f"recipes that come with LossAtlas: {shipped}"
    )


def _validated(source: str, fields: dict[str, object]) -> Recipe:
    try:
        return Recipe.model_validate(fields)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        said = (
            ": ".join([*map(str, fault["loc"]), fault["msg"].removeprefix("Value error, ")])
            for fault in faults
        )
        raise InvalidRecipe(f"{source}: {'; '.join(said)}") from error


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise InvalidRecipe(f"{path} is not TOML: {error}") from error
