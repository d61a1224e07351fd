"""Crop and flip of a whole batch, against padding and cropping one image at a time."""

from itertools import product

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from training.data.augment import (
    GRAY,
    alternating,
    augmented,
    crop_and_flip,
    cut_mixed,
    cut_out,
    shrunk,
    warped,
)
from training.recipes.recipe import Recipe

PADDING_PX = 4


def noise(count: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, height, width, 3), generator=generator, dtype=torch.uint8)


def legal_crops(image: Tensor) -> dict[bytes, tuple[int, int, bool]]:
    """Every crop of the padded image, flipped or not, by its bytes."""
    height, width, _ = image.shape
    down, across = min(PADDING_PX, height - 1), min(PADDING_PX, width - 1)
    padded = np.pad(image.numpy(), ((down, down), (across, across), (0, 0)), mode="reflect")
    crops = {}
    for y, x in product(range(2 * down + 1), range(2 * across + 1)):
        crop = padded[y : y + height, x : x + width]
        crops[crop.tobytes()] = (y, x, False)
        crops[crop[:, ::-1].tobytes()] = (y, x, True)
    return crops


def outcomes(image: Tensor, count: int) -> list[tuple[int, int, bool]]:
    """Return the crop of each of `count` augmentations of one image; KeyError where it is none."""
    crops = legal_crops(image)
    rows = torch.zeros(count, dtype=torch.int64)
    made = crop_and_flip(
        image.unsqueeze(0), rows, None, PADDING_PX, torch.Generator().manual_seed(0)
    )
    return [crops[one.numpy().tobytes()] for one in made]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (8, 8), (9, 14), (3, 6), (1, 1)])
def test_every_result_is_a_legal_crop(height: int, width: int) -> None:
    assert len(outcomes(noise(1, height, width)[0], 200)) == 200


def test_crops_and_flips_are_uniform_and_independent() -> None:
    """All 9 x 9 x 2 outcomes, about equally often: chi-squared with 161 degrees of freedom."""
    found = outcomes(noise(1, 8, 12)[0], 162 * 100)
    counts = np.unique(np.array(found), axis=0, return_counts=True)[1]
    assert len(counts) == 162
    assert ((counts - 100) ** 2 / 100).sum() < 250  # p = 1e-5


def test_each_result_comes_from_its_own_row() -> None:
    images = noise(5, 8, 8)
    rows = torch.tensor([3, 0, 3, 4, 1, 2])
    made = crop_and_flip(images, rows, None, PADDING_PX, torch.Generator().manual_seed(1))
    for row, one in zip(rows.tolist(), made, strict=True):
        assert one.numpy().tobytes() in legal_crops(images[row])


def test_the_generator_decides_and_the_images_stay() -> None:
    images = noise(20, 8, 8)
    before, rows = images.clone(), torch.arange(20)
    first, again, other = (
        crop_and_flip(images, rows, None, PADDING_PX, torch.Generator().manual_seed(seed))
        for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(images, before)
    assert first.dtype == torch.uint8


def test_alternating_mirrors_each_image_in_every_other_epoch() -> None:
    first, second, third = (alternating(1000, epoch, seed=3) for epoch in range(3))
    assert torch.equal(second, ~first)
    assert torch.equal(third, first)
    assert 400 < int(first.sum()) < 600
    assert not torch.equal(first, alternating(1000, 0, seed=4))


def test_a_recipe_says_how_far_images_move_and_when_they_are_mirrored() -> None:
    images, rows = noise(6, 8, 8), torch.tensor([5, 1, 2])
    recipe = Recipe(loss="softmax", padding_px=0, flip="alternating", seed=1)
    for epoch in range(2):
        made = augmented(images, rows, recipe, epoch, torch.Generator())
        mirrored = alternating(6, epoch, seed=1)[rows]
        for row, one, flipped in zip(rows.tolist(), made, mirrored.tolist(), strict=True):
            assert torch.equal(one, images[row].flip(1) if flipped else images[row])


def test_cutout_hides_one_square_of_each_image_that_may_lie_over_the_border() -> None:
    images = noise(2000, 8, 10).clamp(max=100)
    before = images.clone()
    made = cut_out(images, 4, 2000, torch.Generator().manual_seed(2))
    assert torch.equal(images, before)
    assert made.dtype == torch.uint8
    corners, shapes = set(), set()
    for image, one in zip(images, made, strict=True):
        hidden = (one == GRAY).all(dim=2)
        rows, columns = (hidden.any(dim=1 - axis).nonzero().flatten() for axis in range(2))
        square = torch.zeros_like(hidden)
        square[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        assert torch.equal(hidden, square)
        assert torch.equal(one[~square], image[~square])
        corners.add((int(rows[0]), int(columns[0])))
        shapes.add((len(rows), len(columns)))
    assert {rows for rows, _ in shapes} == {columns for _, columns in shapes} == {2, 3, 4}
    assert corners == {(row, column) for row in range(6) for column in range(8)}


def test_cutmix_takes_one_rectangle_of_every_image_from_another() -> None:
    images, others = noise(2, 8, 16).clamp(max=100), noise(2, 8, 16).clamp(min=101)
    before = images.clone()
    generator = torch.Generator().manual_seed(5)
    shares, shapes, corners = [], set(), set()
    for _ in range(3000):
        mixed, kept = cut_mixed(images, others, generator)
        pasted = mixed > 100
        assert torch.equal(mixed, torch.where(pasted, others, images))
        assert bool((pasted == pasted[0, :, :, :1]).all())
        hidden = pasted[0, :, :, 0]
        assert kept == pytest.approx(1 - hidden.double().mean().item())
        shares.append(kept)
        if not hidden.any():
            continue
        rows, columns = (hidden.any(dim=1 - axis).nonzero().flatten() for axis in range(2))
        assert hidden[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        shapes.add((len(rows), len(columns)))
        corners.add((int(rows[0]), int(columns[0])))
    assert torch.equal(images, before)
    assert (4, 8) in shapes  # of the image's own aspect where all of it is inside
    assert (2, 8) in shapes  # and less where it lies over the border
    assert {row for row, _ in corners} == set(range(8))
    # By the paper's own program: a rectangle of the share 1 - u, its center drawn evenly, clipped.
    assert 0.6 < sum(shares) / len(shares) < 0.75
    assert min(shares) < 0.1


def test_part_of_a_batch_is_shown_as_it_is_among_all() -> None:
    images, rows = noise(9, 8, 8), torch.tensor([3, 8, 0, 5, 4, 4, 1])
    recipe = Recipe(loss="softmax", padding_px=2, cutout_px=3)
    whole, part = (torch.Generator().manual_seed(3) for _ in range(2))
    made = augmented(images, rows, recipe, 0, whole)
    assert torch.equal(augmented(images, rows, recipe, 0, part, slice(4, 7)), made[4:7])
    assert torch.equal(whole.get_state(), part.get_state())


def test_a_recipe_without_cutout_draws_nothing_for_it() -> None:
    images, rows = noise(6, 8, 8), torch.arange(6)
    recipe = Recipe(loss="softmax", padding_px=0, flip="alternating")
    before, after = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4)
    plain = augmented(images, rows, recipe, 0, before)
    cut = augmented(images, rows, recipe.varied(cutout_px=5), 0, after)
    assert not (plain == GRAY).all(dim=3).any()
    assert (cut == GRAY).all(dim=3).flatten(1).any(dim=1).all()
    assert torch.equal(cut, cut_out(plain, 5, 6, before))


def test_shrunk_images_are_those_of_pillow() -> None:
    images = noise(2, 32, 32)
    small = shrunk(images, 24)
    assert small.shape == (2, 24, 24, 3)
    for one, image in zip(small, images, strict=True):
        picture = Image.fromarray(image.numpy()).resize((24, 24), Image.Resampling.BILINEAR)
        assert np.abs(one.numpy() - np.asarray(picture, dtype=np.float32)).max() <= 1.0


def ramp(height: int, width: int) -> Tensor:
    """An image whose red grows to the right and green downwards, evenly, about gray."""
    down, across = torch.meshgrid(
        torch.arange(height) - (height - 1) / 2,
        torch.arange(width) - (width - 1) / 2,
        indexing="ij",
    )
    planes = [128 + 6 * across, 128 + 6 * down, torch.full_like(across, 60)]
    return torch.stack(planes, dim=2).round().to(torch.uint8)


@pytest.mark.parametrize(("height", "width"), [(33, 33), (25, 41)])
def test_a_warp_zooms_stretches_and_turns_about_the_center(height: int, width: int) -> None:
    """Two ramps show what each did, in pixels: the map from the result to the image."""
    images = ramp(height, width).expand(3000, -1, -1, -1)
    made = warped(images, 1.0, 3000, torch.Generator().manual_seed(0))
    assert made.dtype == torch.uint8
    assert bool((made[..., 2] == 60).all())
    y, x = height // 2, width // 2
    assert bool(((made[:, y, x, :2].float() - 128).abs() <= 2).all())
    inner = made[:, y - 6 : y + 7, x - 6 : x + 7, :2].double()
    steps = (torch.arange(13, dtype=torch.float64) - 6) / (6 * 182 * 13)
    across = torch.einsum("nijc,j->nc", inner, steps)  # least squares: pixels of the image for one
    down = torch.einsum("nijc,i->nc", inner, steps)
    jacobian = torch.stack([across, down], dim=2)  # [n, image x or y, result x or y]
    zooms = torch.linalg.det(jacobian) ** -0.5
    assert 1 / 1.21 < zooms.min() < 1 / 1.18
    assert 1.18 < zooms.max() < 1.21
    assert abs(zooms.log().mean()) < 0.01
    lengths = jacobian.norm(dim=2)
    ratios = lengths[:, 1] / lengths[:, 0]
    assert 1 / 1.11 < ratios.min() < 1 / 1.09
    assert 1.09 < ratios.max() < 1.11
    degrees = torch.atan2(jacobian[:, 1, 0], jacobian[:, 1, 1]).rad2deg()
    assert -10.5 < degrees.min() < -9
    assert 9 < degrees.max() < 10.5
    assert torch.corrcoef(torch.stack([zooms, ratios, degrees])).fill_diagonal_(0).abs().max() < 0.1


def test_a_share_of_images_is_warped_and_the_others_stay() -> None:
    images = noise(4000, 8, 8)
    before = images.clone()
    made = warped(images, 0.25, 4000, torch.Generator().manual_seed(3))
    assert torch.equal(images, before)
    moved = (made != images).flatten(1).any(dim=1)
    assert 0.2 < float(moved.double().mean()) < 0.3
    assert torch.equal(warped(images, 0.0, 4000, torch.Generator()), images)


def test_a_part_of_a_batch_is_warped_as_it_is_among_all() -> None:
    images = noise(30, 8, 12)
    whole = warped(images, 0.5, 30, torch.Generator().manual_seed(4))
    for part in (slice(0, 10), slice(10, 30)):
        again = warped(images[part], 0.5, 30, torch.Generator().manual_seed(4), part)
        assert torch.equal(again, whole[part])


def test_a_recipe_warps_before_it_cuts_out() -> None:
    """The square is whole and gray: it was not warped with the image."""
    images, rows = noise(200, 16, 16).clamp(max=100), torch.arange(200)
    recipe = Recipe(loss="softmax", warp=1.0, cutout_px=6, padding_px=0)
    made = augmented(images, rows, recipe, 0, torch.Generator().manual_seed(6))
    hidden = (made == GRAY).all(dim=3)
    counts = hidden.flatten(1).sum(dim=1)
    assert counts.max() == 36
    assert bool((counts >= 9).all())
    assert not bool((made == images)[~hidden].all())
