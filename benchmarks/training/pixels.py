"""Data sets as people write them: image by image, from files or memory, by torchvision."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms

from benchmarks.training.images import SIZE_PX, Images
from benchmarks.training.results import Source
from training.networks.embedder import Embedder
from training.networks.normalize import Normalize

_PADDING_PX = 4
Item = tuple[Tensor, int]


def dataset(images: Images, source: Source, embedder: Embedder) -> Dataset[Item]:
    """Shifted by reflection, mirrored, normalized as our network's first layer does."""
    normalize = embedder.backbone[0]  # type: ignore[index]
    assert isinstance(normalize, Normalize)
    shown = [
        transforms.RandomCrop(SIZE_PX, padding=_PADDING_PX, padding_mode="reflect"),
        transforms.RandomHorizontalFlip(),
    ]
    scaled = transforms.Normalize(
        (normalize.mean.flatten() / 255).tolist(), (normalize.std.flatten() / 255).tolist()
    )
    if source == "files":
        chain = transforms.Compose([*shown, transforms.ToTensor(), scaled])
        return _Files(images.train(), chain)
    floats = transforms.ConvertImageDtype(torch.float32)
    train = images.splits().train
    planes = train.images.permute(0, 3, 1, 2).contiguous()
    return _Tensors(planes, train.labels.tolist(), transforms.Compose([*shown, floats, scaled]))


class _Files(Dataset[Item]):
    def __init__(self, files: list[tuple[Path, int]], chain: transforms.Compose) -> None:
        self.files = files
        self.chain = chain

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> Item:
        path, label = self.files[row]
        with Image.open(path) as image:
            return self.chain(image.convert("RGB")), label


class _Tensors(Dataset[Item]):
    def __init__(self, planes: Tensor, labels: list[int], chain: transforms.Compose) -> None:
        self.planes = planes
        self.labels = labels
        self.chain = chain

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> Item:
        return self.chain(self.planes[row]), self.labels[row]
