"""Maps of published models, made anew or brought up to what their model says now."""

from dataclasses import dataclass
from pathlib import Path

from models.bundle import MAP, Bundle
from models.errors import ModelsError
from models.image_map import ImageMap, write_map
from models.manifest import Manifest
from models.report import Report
from models.store import Store
from models.test_images import TestImages
from training.cli.options import say
from training.evaluation.image_map import make_map, refreshed
from training.evaluation.paired_models import BASELINE
from training.evaluation.reevaluation import MAP as MAP_PART
from training.evaluation.reevaluation import Reevaluation


@dataclass(frozen=True)
class MapUpdate:
    """A map, and the test images on it; None where those stay as they are."""

    image_map: ImageMap
    images: TestImages | None

    def put(self, store: Store, folder: Path, manifest: Manifest) -> Manifest:
        """Write the map into the bundle's folder, and the images beside the bundles."""
        write_map(folder / MAP, self.image_map)
        if self.images is None:
            return manifest
        return manifest.model_copy(update={"test_images": store.put_test_images(self.images)})


def map_again(
    old: Bundle, new: Bundle, report: Report, again: Reevaluation, parts: tuple[str, ...]
) -> MapUpdate | None:
    """The map of the bundle `new`, which takes the place of `old`; None where it stays.

    Where it is not asked for but the model's probabilities or its rule for unknown images have
    changed, a map that is there keeps its plane and says what the model says now.
    """
    rule = report.unknowns.measured_rule
    if MAP_PART in parts:
        made = make_map(again.shown(new, rule), _reference(old))
        say(
            f"{old.path}: map of {len(made):,} images, trustworthiness "
            f"{made.quality.trustworthiness:.3f}, continuity {made.quality.continuity:.3f}"
        )
        return MapUpdate(made, again.sheets(new))
    before = old.image_map()
    if before is None or (new is old and before.rule == rule):
        return None
    return MapUpdate(refreshed(before, again.shown(new, rule)), None)


def _reference(bundle: Bundle) -> ImageMap | None:
    """The map that the bundle's begins with: the baseline's, or else any other's beside it."""
    if bundle.report.loss == BASELINE:
        return None
    store = Store(bundle.path.parent.parent)
    names = sorted(store.names(), key=lambda name: (name != BASELINE, name))
    for name in names:
        if name == bundle.manifest.name or bundle.manifest.version not in store.versions(name):
            continue
        try:
            found = store.load(name, bundle.manifest.version).image_map()
        except ModelsError:
            continue
        if found is not None:
            return found
    return None
