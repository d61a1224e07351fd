"""A data set without the training images that are copies of test images."""

import hashlib
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import TypeAdapter

from models.atomic import replacing
from models.preprocess import VERSION
from training.data.copies import leaking_rows
from training.data.dataset import Dataset

_IDS = TypeAdapter(tuple[str, ...])


Copied = Literal["near", "exact"]


def drop_leaks(dataset: Dataset, cache: Path, copied: Copied = "near") -> Dataset:
    """Leave out every training image with a copy in the test set, near copies too or exact alone.

    The test set stays as it is, so that results can be compared with others'. What was found is
    kept in `cache`, so that the processes of one training search once.
    """
    shape = tuple(dataset.train.images.shape[1:])
    facts = f"{dataset.sha256} {shape} {VERSION} {copied}"
    path = cache / f"leaks-{hashlib.sha256(facts.encode()).hexdigest()[:32]}.json"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            rows = leaking_rows(dataset.train, dataset.test, near=copied == "near").tolist()
            found = tuple(dataset.train.ids[row] for row in rows)
            with replacing(path) as temporary:
                temporary.write_bytes(_IDS.dump_json(found))
        return dataset.without(_IDS.validate_json(path.read_bytes()))
