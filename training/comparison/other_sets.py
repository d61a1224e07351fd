"""Other data sets that every run of a comparison is asked about."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

from models.manifest import Frozen, Preprocess
from training.data.dataset import Dataset
from training.data.other_datasets import FarImages, TransferImages, far_sets, transfer_sets
from training.errors import InvalidRun


class OtherSet(Frozen):
    """One of them, as part of a protocol."""

    name: str
    sha256: str = Field(description="of what its images are made from")


class OtherSets(Frozen):
    """Questions to runs beside their own data set; no choice is made by any of them."""

    far: tuple[OtherSet, ...] = Field(
        default=(), description="images of no known class, for runs without some classes"
    )
    transfer: tuple[OtherSet, ...] = Field(
        default=(), description="classes that a linear probe learns from frozen embeddings"
    )

    @property
    def named(self) -> bool:
        """Return whether any are named."""
        return bool(self.far or self.transfer)


@dataclass(frozen=True)
class OtherImages:
    """Their images, at the size of the networks' input."""

    far: tuple[FarImages, ...] = ()
    transfer: tuple[TransferImages, ...] = ()

    @classmethod
    def of(
        cls,
        own: Dataset,
        spec: Preprocess,
        far: Sequence[Dataset] = (),
        transfer: Sequence[Dataset] = (),
    ) -> "OtherImages":
        """Digits and noise, which need no files, and these data sets.

        Raises InvalidRun for one that is the comparison's own, or named twice.
        """
        for option, folders in (("--far", far), ("--transfer", transfer)):
            check_others(option, own, folders)
        return cls(far_sets(spec, far), transfer_sets(spec, transfer))

    @property
    def record(self) -> OtherSets:
        """Return their entry in the protocol."""
        return OtherSets(
            far=tuple(OtherSet(name=one.name, sha256=one.sha256) for one in self.far),
            transfer=tuple(OtherSet(name=one.name, sha256=one.sha256) for one in self.transfer),
        )


def check_others(option: str, own: Dataset, folders: Sequence[Dataset]) -> None:
    """Raise InvalidRun where one is the model's own data set, or named twice."""
    names = ["digits", "noise"]
    for one in folders:
        if one.sha256 == own.sha256:
            raise InvalidRun(f"{option} must name another data set than --data (got {one.name})")
        if one.name in names:
            raise InvalidRun(
                f"{option} must name folders of different names (got {one.name} twice)"
            )
        names.append(one.name)
