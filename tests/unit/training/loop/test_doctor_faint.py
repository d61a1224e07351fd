"""Directions that training images hardly have: found where a whitening blows them up, and named."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from models.evidence.finding import Finding
from tests.support.tiny_runs import backbone_of, tiny_recipe
from training.data.dataset import LabeledImages, TrainingSplits
from training.diagnostics.faint import FaintDirections, first_responses
from training.loop.trainer import Trainer

SHAPE = {"backbone": "airbench", "widths": (24, 28, 32), "size_px": 16}


def as_jpeg(image: np.ndarray) -> np.ndarray:
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=75, subsampling="4:2:0")
    return np.asarray(Image.open(buffer).convert("RGB"))


def scenes(stored_as_jpeg: bool) -> Tensor:
    """Soft colors with sharp light and color on top, or what a JPEG leaves of soft color."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(64, 3, 4, 4, generator=generator) * 255
    soft = F.interpolate(coarse, size=(16, 16), mode="bicubic")
    sharp = 30 * torch.randn(64, 3, 16, 16, generator=generator)
    whole = (soft + sharp).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    if not stored_as_jpeg:
        return whole
    light = 30 * torch.randn(64, 1, 16, 16, generator=generator)
    plain = (soft + light).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return torch.from_numpy(np.stack([as_jpeg(image.numpy()) for image in plain]))


def found(stored_as_jpeg: bool, **fields: object) -> list[Finding]:
    """Return the doctor's findings before the first step."""
    images = scenes(stored_as_jpeg)
    part = LabeledImages(images, torch.arange(64) % 4, tuple(map(str, range(64))))
    trainer = Trainer(tiny_recipe("softmax", **SHAPE, **fields), TrainingSplits(part, part), 4)
    trainer.doctor.before_training(trainer.progress)
    return trainer.progress.findings


def test_a_whitening_of_jpegs_is_found_and_a_floor_or_smoothing_heals_it() -> None:
    (faint,) = found(True, whitening_floor=5e-4)
    assert (faint.detector, faint.severity) == ("faint-directions", "warning")
    assert found(True) == []  # the default floor
    smooth = found(True, whitening_floor=5e-4, smooth_chroma=True)
    assert all(one.degree < faint.degree / 4 for one in smooth)


def test_images_with_sharp_color_are_well() -> None:
    assert found(False, whitening_floor=5e-4) == []


def test_the_ratio_is_that_of_the_filters() -> None:
    layer = nn.Conv2d(3, 2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 0, 0], [0, 0, 100.0]]).view(2, 3, 1, 1))

    class First(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = layer

        def forward(self, images: Tensor) -> Tensor:
            answer: Tensor = self.first(images.permute(0, 3, 1, 2).float())
            pytest.fail(f"run past the first convolution, to {answer.shape}")

    images = torch.zeros(64, 16, 16, 3, dtype=torch.uint8)
    images[..., 0] = torch.randint(0, 256, (64, 16, 16), generator=torch.Generator().manual_seed(0))
    images[..., 2] = 100 + 2 * (torch.arange(64) % 2).view(64, 1, 1)
    responses = first_responses(First(), images)
    assert responses is not None
    assert responses.signal.tolist() == pytest.approx([256**2 / 12, 1e4], rel=0.05)
    assert responses.noise.tolist() == pytest.approx([64.0, 64e4], rel=0.05)
    symptom = FaintDirections().examine(responses)
    assert symptom is not None
    assert symptom.degree == pytest.approx(64, rel=0.1)
    assert "1 of 2 filters of first" in symptom.sentence


def test_the_backbone_stays_as_it_was() -> None:
    images = scenes(True)
    backbone = backbone_of(tiny_recipe("softmax", **SHAPE), images)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    state = torch.random.get_rng_state()
    assert first_responses(backbone, images) is not None
    assert torch.equal(torch.random.get_rng_state(), state)
    assert backbone.training
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert first_responses(nn.Linear(3, 2), images) is None
