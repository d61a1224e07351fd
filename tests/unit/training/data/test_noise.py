"""Noise and re-encoding of training images: what they do, to how many, and the same in parts."""

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from training.data.augment import augmented
from training.data.noise import LUMA, blurred, noisy, reencoded
from training.recipes.recipe import Recipe

COUNT = 400


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def flat(count: int = COUNT, size_px: int = 16) -> Tensor:
    return torch.full((count, size_px, size_px, 3), 128, dtype=torch.uint8)


def smooth(count: int) -> Tensor:
    coarse = torch.rand(count, 3, 4, 4, generator=drawn()) * 255
    planes = torch.nn.functional.interpolate(coarse, size=(16, 16), mode="bilinear")
    return planes.permute(0, 2, 3, 1).to(torch.uint8)


def test_deviations_are_spread_evenly_up_to_the_largest() -> None:
    noise = noisy(flat(), 12.0, COUNT, drawn()).float() - 128
    sds = (noise - noise.mean(dim=(1, 2), keepdim=True)).square().mean(dim=(1, 2, 3)).sqrt()
    assert sds.min() < 1
    assert 10 < sds.max() < 13
    assert abs(sds.mean() - 6) < 1.2


def test_half_of_the_images_keep_their_brightness() -> None:
    noise = noisy(flat(), 32.0, COUNT, drawn()).float() - 128
    brightness = (noise @ torch.tensor(LUMA)).std(dim=(1, 2))
    loud = noise.std(dim=(1, 2, 3)) > 4
    still = (brightness < 0.5)[loud]
    assert 0.4 < still.double().mean() < 0.6


def test_a_share_is_stored_anew_and_the_others_stay_to_the_byte() -> None:
    images = smooth(COUNT)
    kept = images.clone()
    anew = reencoded(images, 0.5, COUNT, drawn())
    assert torch.equal(images, kept)
    changed = (anew != images).flatten(1).any(dim=1)
    assert 0.4 < changed.double().mean() < 0.6
    assert (anew[changed].float() - images[changed].float()).abs().mean() < 8


def test_a_part_of_a_batch_is_changed_as_it_is_among_all() -> None:
    images = smooth(20)
    part = slice(5, 12)
    for change, amount in ((noisy, 12.0), (reencoded, 0.5), (blurred, 1.0)):
        whole = change(images, amount, 20, drawn(3))
        alone = change(images[part], amount, 20, drawn(3), part)
        assert torch.equal(whole[part], alone)


def test_recipes_that_do_not_ask_for_it_draw_nothing() -> None:
    images, rows = smooth(30), torch.arange(30)
    plain = Recipe(loss="softmax")
    generator = drawn(1)
    augmented(images, rows, plain, 0, generator)
    after_plain = generator.get_state()
    loud = plain.varied(noise_sd=12.0, reencode=1.0)
    generator = drawn(1)
    shown = augmented(images, rows, loud, 0, generator)
    assert not np.array_equal(generator.get_state().numpy(), after_plain.numpy())
    quiet = augmented(images, rows, plain, 0, drawn(1))
    assert (shown.float() - quiet.float()).abs().mean() > 1


def test_half_are_blurred_by_a_gaussian_and_the_others_stay_to_the_byte() -> None:
    images = torch.zeros(COUNT, 15, 15, 3, dtype=torch.uint8)
    images[:, 7, 7] = 255
    kept = images.clone()
    anew = blurred(images, 1.0, COUNT, drawn())
    assert torch.equal(images, kept)
    changed = (anew != images).flatten(1).any(dim=1)
    assert 0.3 < changed.double().mean() < 0.55  # faint ones round to nothing
    spread = anew[changed].double()[..., 0]
    places = torch.arange(15) - 7.0
    shares = spread.sum(dim=1) / spread.sum(dim=(1, 2)).unsqueeze(1)
    sds = (shares * places.square()).sum(dim=1).sqrt()
    assert sds.max() < 1.1
    assert sds.max() > 0.85
    sharpest = spread[:, 7, 7].argmin()
    across = np.asarray(Image.fromarray(images[0].numpy()).filter(ImageFilter.GaussianBlur(1.0)))
    assert abs(spread[sharpest, 7, 7] - float(across[7, 7, 0])) < 8


def test_a_blur_leaves_flat_images_and_their_borders() -> None:
    assert torch.equal(blurred(flat(), 2.0, COUNT, drawn()), flat())
