"""A collection holds the vectors of one model, and of no other."""

from models.errors import BundleNotFound
from service.collections import CollectionSpec
from service.collections.errors import ModelMismatch
from service.errors import PrecisionMismatch
from service.inference.catalog import Catalog
from service.inference.engine import Engine

_SHORT = 12  # digits of a hash that people compare


async def engine_of(catalog: Catalog, spec: CollectionSpec) -> Engine:
    """The engine of the collection's model; an older version is loaded now if it was not yet.

    Raises ModelMismatch where that model is not published, or is another one by now; BundleDamaged
    and ModelNotReady; PrecisionMismatch where it answers in a precision that finds other neighbors.
    """
    try:
        engine = await catalog.engine(spec.loss, spec.version)
    except BundleNotFound:
        raise ModelMismatch(spec.name, _maker(spec), "any model that is published here") from None
    check_hash(spec, engine.model_sha256)
    if not engine.may_mix_with(spec.precision):
        raise PrecisionMismatch(f"collection {spec.name!r}", spec.precision, engine.precision)
    return engine


def check_hash(spec: CollectionSpec, model_sha256: str | None) -> None:
    """Raise ModelMismatch where vectors come from a model.onnx of another hash."""
    if model_sha256 not in (None, spec.model_sha256):
        given = f"the model of sha256 {model_sha256[:_SHORT]}…"
        raise ModelMismatch(spec.name, _maker(spec), given)


def check_model(spec: CollectionSpec, loss: str | None, version: int | None) -> None:
    """Raise ModelMismatch where a request names another model than the collection's."""
    given = (
        spec.loss if loss is None else loss,
        spec.version if version is None else version,
    )
    if given != (spec.loss, spec.version):
        raise ModelMismatch(spec.name, _maker(spec), f"{given[0]}/{given[1]}")


def _maker(spec: CollectionSpec) -> str:
    return f"{spec.loss}/{spec.version} (sha256 {spec.model_sha256[:_SHORT]}…)"
