"""Detection of images that look like none of the classes that a model knows."""

import asyncio
from dataclasses import dataclass

from models.bundle import Bundle, Gallery
from models.errors import BundleDamaged
from models.evidence.unknowns import UnknownsSection
from models.manifest import UnknownRule
from models.open_set import DistanceReference, is_unknown, reference, scores
from service.inference.session import Outputs

_QUICK_DISTANCES = 50_000  # taken in less time than a thread would need to begin


@dataclass(frozen=True)
class OpenSetDetector:
    """A manifest's rule, with what it compares images to; made once, when the model is loaded."""

    rule: UnknownRule
    reference: DistanceReference

    async def unknown(self, outputs: Outputs) -> list[bool]:
        """For each image, whether it is unknown; many distances are taken on a thread."""
        if len(outputs.embedding) * len(self.reference.rows) <= _QUICK_DISTANCES:
            return self._judge(outputs)
        return await asyncio.to_thread(self._judge, outputs)

    def _judge(self, outputs: Outputs) -> list[bool]:
        found = scores(self.rule.scorer, outputs.embedding, outputs.probabilities, self.reference)
        judged: list[bool] = is_unknown(self.rule, found).tolist()
        return judged


def is_measured(found: UnknownsSection) -> bool:
    """Return whether a measurement chose the rule."""
    return found.measured_rule is not None


def make_doubt(bundle: Bundle, gallery: Gallery) -> OpenSetDetector | None:
    """Build the detector of the bundle's rule; None where no measurement chose one.

    Without rounds in which classes were left out, nothing says how well the rule notices an
    unknown image: a default must not pass for an answer.

    Raises BundleDamaged where the rule measures distances to a gallery that is empty.
    """
    manifest = bundle.manifest
    rule = manifest.unknown
    if rule is None or not is_measured(bundle.report.unknowns):
        return None
    if rule.scorer != "max_probability" and len(gallery.ids) == 0:
        reason = f"its rule for unknown images, {rule.scorer}, needs a gallery"
        raise BundleDamaged(manifest.name, manifest.version, reason)
    compared = reference(rule.scorer, rule.k, manifest.metric, gallery.embeddings, gallery.labels)
    return OpenSetDetector(rule, compared)
