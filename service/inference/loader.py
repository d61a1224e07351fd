"""From a published bundle to a verified model in memory."""

from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
import structlog

from models.bundle import FLOAT32_TOLERANCE, GALLERY, MAP, Bundle, Gallery, Golden, Thumbnails
from models.errors import BundleDamaged
from models.manifest import Precision, Sha256
from models.store import Store
from models.test_images import TestImages
from service.inference.cuda import CudaSession, Gpu
from service.inference.device import CPU, Provider
from service.inference.engine import LoadedModel
from service.inference.model_map import ModelMap, make_model_map
from service.inference.open_set import make_doubt
from service.inference.session import Session
from service.machine.hardware import give_back_memory
from service.settings import PrecisionChoice
from service.vectors import ExactIndex, VectorIndex

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Loader:
    """Loads models from one registry for one device. Use it from one thread at a time."""

    store: Store
    provider: Provider
    threads: int  # of one run on the processor
    gpu: Gpu = field(default_factory=Gpu)  # idle where the provider is the processor
    precision: PrecisionChoice = "float32"
    _thumbnails: dict[Sha256, Thumbnails] = field(default_factory=dict)  # shared between models
    _tests: dict[Sha256, TestImages] = field(default_factory=dict)  # shared, without their sheets

    def load(self, name: str, version: int, manifest_sha256: Sha256 | None = None) -> LoadedModel:
        """Verify every file, open the graph and replay the golden batch.

        Raises BundleDamaged with the first thing that is wrong, such as another manifest than the
        one of `manifest_sha256`.
        """
        bundle = self.store.load(name, version, manifest_sha256)
        _ = bundle.report  # parsed once, here, so that a bad one is named at start
        session, image_s = self._checked(bundle)
        gallery, index = _load_gallery(bundle, session.precision)
        thumbnails = self._load_thumbnails(bundle)
        doubt = make_doubt(bundle, gallery)
        plane = self._load_map(bundle, gallery)
        give_back_memory()
        return LoadedModel(bundle, session, gallery, index, thumbnails, doubt, plane, image_s)

    def _checked(self, bundle: Bundle) -> tuple[Session, float]:
        """The graph that answers and what an image takes, its golden batch replayed.

        Where the choice of int8 is the service's own, float32 answers on a processor on which int8
        gives other answers than at its export, as those without VNNI may.
        """
        precision = self._chosen(bundle)
        try:
            session = self._open(bundle, precision)
            return session, _check_golden(session, bundle)
        except BundleDamaged as error:
            if precision == "float32" or self.precision != "auto":
                raise
            log.warning(
                "float32 answers: int8 does not give its golden batch here",
                model=bundle.manifest.name,
                version=bundle.manifest.version,
                reason=error.reason,
            )
        session = self._open(bundle, "float32")
        return session, _check_golden(session, bundle)

    def _chosen(self, bundle: Bundle) -> Precision:
        """A GPU runs float32: nobody has measured int8 there."""
        if self.provider != CPU or self.precision == "float32":
            return "float32"
        return "float32" if bundle.variant("int8") is None else "int8"

    def _open(self, bundle: Bundle, precision: Precision) -> Session:
        if self.provider == CPU:
            return Session(bundle, CPU, self.threads, precision=precision)
        return CudaSession(bundle, self.provider, self.gpu)

    def _load_thumbnails(self, bundle: Bundle) -> Thumbnails | None:
        digest = bundle.manifest.thumbnails
        if digest is None:
            return None
        if digest not in self._thumbnails and (thumbnails := bundle.thumbnails()) is not None:
            self._thumbnails[digest] = thumbnails
        if len(self._thumbnails[digest]) != bundle.manifest.gallery_size:
            raise _damaged(bundle, "its thumbnails are not one for each gallery item")
        return self._thumbnails[digest]

    def _load_map(self, bundle: Bundle, gallery: Gallery) -> ModelMap | None:
        digest, points = bundle.manifest.test_images, bundle.image_map()
        if points is None:
            return None
        if digest is None:
            raise _damaged(bundle, f"it has {MAP}, and its manifest names no test images")
        if digest not in self._tests and (images := bundle.test_images()) is not None:
            self._tests[digest] = replace(images, sheets=())
        return make_model_map(bundle, points, self._tests[digest], digest, gallery)


def _check_golden(session: Session, bundle: Bundle) -> float:
    """Replay the golden batch, twice: what an image takes of the second time, in seconds."""
    golden = bundle.golden(session.precision)
    _check_batch(session, bundle, golden)
    started = perf_counter()
    _check_batch(session, bundle, golden)
    image_s = (perf_counter() - started) / len(golden.images)
    for size in session.sizes:
        _check_batch(session, bundle, _resized(golden, size))
    return image_s


def _check_batch(session: Session, bundle: Bundle, golden: Golden) -> None:
    outputs = session.run(golden.images)
    variant = bundle.variant(session.precision)
    tolerance = variant.tolerance if variant else FLOAT32_TOLERANCE
    for name in ("embedding", "probabilities"):
        expected, found = getattr(golden, name), getattr(outputs, name)
        if expected.shape != found.shape or not np.allclose(
            found, expected, rtol=0, atol=tolerance
        ):
            reason = f"its golden batch gives another {name} than at its export"
            if variant:
                reason += f" in {session.precision}; serve float32: --precision float32"
            raise _damaged(bundle, reason)


def _resized(golden: Golden, n: int) -> Golden:
    """The first n images, from the beginning again where there are fewer."""
    rows = np.arange(n) % len(golden.images)
    return Golden(golden.images[rows], golden.embedding[rows], golden.probabilities[rows])


def _load_gallery(bundle: Bundle, precision: Precision) -> tuple[Gallery, VectorIndex]:
    manifest = bundle.manifest
    there = GALLERY in manifest.files
    gallery = bundle.gallery(precision) if there else _no_gallery(manifest.dimension)
    n = manifest.gallery_size
    if gallery.embeddings.shape != (n, manifest.dimension) or len(gallery.ids) != n:
        raise _damaged(bundle, "its gallery is not of the size that its manifest says")
    if (
        gallery.labels.shape != (n,)
        or not np.isin(gallery.labels, range(len(manifest.labels))).all()
    ):
        raise _damaged(bundle, "its gallery has labels that its manifest does not list")
    index = ExactIndex(manifest.dimension, manifest.metric)
    index.add(np.arange(n), gallery.embeddings)
    return gallery, index


def _no_gallery(dimension: int) -> Gallery:
    return Gallery(np.empty((0, dimension), np.float32), np.empty(0, np.int64), ())


def _damaged(bundle: Bundle, reason: str) -> BundleDamaged:
    return BundleDamaged(bundle.manifest.name, bundle.manifest.version, reason)
