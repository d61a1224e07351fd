"""Recipes: the committed ones, the defaults, what is refused."""

from pathlib import Path

import pytest

from training.errors import InvalidRecipe
from training.losses import ALL_LOSSES, make_loss
from training.recipes.recipe import RECIPES, Recipe, load_recipe

COMMON = ("compact", "small")
NAMES = sorted(path.stem for path in RECIPES.glob("*.toml") if path.stem not in COMMON)
STRONG = Path("strong")


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_names_its_own_registered_loss(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.loss == name
    assert recipe.loss in ALL_LOSSES


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_makes_its_loss_for_cifar(name: str) -> None:
    recipe = load_recipe(name)
    loss = make_loss(recipe.loss, 10, recipe.embedding_size, recipe.parameters)
    for parameter, value in recipe.parameters.items():
        assert float(getattr(loss, parameter)) == pytest.approx(value)


@pytest.mark.parametrize("name", COMMON)
def test_a_recipe_without_a_loss_is_one_for_every_loss(name: str) -> None:
    recipes = [load_recipe(loss, Path(name)) for loss in ALL_LOSSES]
    assert [one.loss for one in recipes] == list(ALL_LOSSES)
    assert len({one.model_copy(update={"loss": ""}).to_toml() for one in recipes}) == 1


@pytest.mark.parametrize("name", ["softmax", "center", "cosface", "arcface", "triplet"])
def test_each_of_the_five_has_a_recipe(name: str) -> None:
    assert name in NAMES


@pytest.mark.parametrize("name", ["softmax", "center", "cosface", "arcface", "triplet"])
def test_each_of_the_five_has_a_strong_recipe_alike_but_for_its_own_parameters(name: str) -> None:
    recipe, softmax = load_recipe(name, STRONG), load_recipe("softmax", STRONG)
    assert recipe.backbone == "airbench"
    make_loss(recipe.loss, 10, recipe.embedding_size, recipe.parameters)
    assert recipe.epochs == softmax.epochs
    assert recipe.widths == softmax.widths


def test_a_folder_of_recipes_holds_one_for_each_loss(tmp_path: Path) -> None:
    (tmp_path / "triplet.toml").write_text("epochs = 9\n")
    assert load_recipe("triplet", tmp_path).epochs == 9
    with pytest.raises(InvalidRecipe, match="nor a recipe for center in a folder"):
        load_recipe("center", tmp_path)


def test_a_recipe_survives_being_written_down(tmp_path: Path) -> None:
    path = tmp_path / "again.toml"
    for recipe in (load_recipe("arcface"), load_recipe("arcface", STRONG)):
        path.write_text(recipe.to_toml())
        assert load_recipe("arcface", path) == recipe


def test_a_loss_without_a_recipe_gets_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALL_LOSSES, "sixth", ALL_LOSSES["softmax"])
    assert load_recipe("sixth") == Recipe(loss="sixth")


def test_what_is_overridden_wins_over_the_file_and_none_does_not() -> None:
    recipe = load_recipe("arcface", epochs=3, seed=None)
    assert (recipe.epochs, recipe.seed) == (3, 0)
    assert recipe.parameters == load_recipe("arcface").parameters


def test_another_file_replaces_the_losses_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 7\n[parameters]\nmargin = 0.25\n")
    recipe = load_recipe("arcface", path)
    assert (recipe.loss, recipe.epochs, recipe.parameters) == ("arcface", 7, {"margin": 0.25})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 7", "epoch"),
        ("epochs = 0", "epochs"),
        ("epochs = 'many'", "epochs"),
        ("learning_rate = nan", "learning_rate"),
        ("[parameters]\nmargin = 'wide'", "margin"),
        ("cutout_px = 32", "cutout_px 32 would hide images of 32 px whole"),
        ("cutmix = 1.5", "cutmix"),
        ("cutmix = 0.5\nfrozen = true", "cutmix mixes images, and a frozen trunk is trained on f"),
    ],
)
def test_an_unknown_or_invalid_field_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InvalidRecipe, match=rf"mine\.toml: [\s\S]*{message}"):
        load_recipe("arcface", path)


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_only_means_over_images_take_mixed_ones(loss: str) -> None:
    if ALL_LOSSES[loss].mixable:
        assert load_recipe(loss, cutmix=0.5).cutmix == 0.5
        return
    with pytest.raises(
        InvalidRecipe, match=rf"^{loss}\.toml: {loss} takes no .* for softmax, cosface, arcface, "
    ):
        load_recipe(loss, cutmix=0.5)


def test_every_fault_of_a_recipe_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs = 0\n[parameters]\nmargin = 'wide'")
    with pytest.raises(InvalidRecipe) as raised:
        load_recipe("arcface", path)
    parameter, epochs = str(raised.value).split("; ")
    assert parameter.startswith("mine.toml: parameters: margin: Input should be a valid number")
    assert epochs == "epochs: Input should be greater than or equal to 1"


def test_a_recipe_for_another_loss_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("loss = 'softmax'")
    with pytest.raises(InvalidRecipe, match=r"mine\.toml is a recipe for softmax, not for arcface"):
        load_recipe("arcface", path)


def test_what_is_not_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epochs: 7")
    with pytest.raises(InvalidRecipe, match=r"mine\.toml is not TOML"):
        load_recipe("arcface", path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match="no recipe file"):
        load_recipe("arcface", tmp_path / "none.toml")


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="no loss 'hinge'"):
        load_recipe("hinge")


def test_a_recipe_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_recipe("softmax").epochs = 3  # type: ignore[misc]
