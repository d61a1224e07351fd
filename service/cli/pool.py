"""Items of pictures, made on all processors."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from models.bundle import Bundle
from models.machine import processors
from service.cli.resources import at_once, open_session
from service.cli.sources.base import Made
from service.cli.sources.folder import FolderEmbedder, ImageFile
from service.settings import Settings

Start = Callable[[Sequence[ImageFile]], Callable[[], Made]]


@contextmanager
def making(bundle: Bundle, settings: Settings, *, keep_images: bool) -> Iterator[Start]:
    """Return a function that begins to make items of pictures; what it returns waits for them."""
    session = open_session(bundle, settings)
    embedder = FolderEmbedder(session, bundle.manifest.preprocess, settings.max_pixels, keep_images)
    pool = ThreadPoolExecutor(processors(), thread_name_prefix="embed")
    size = at_once(session)

    def start(pictures: Sequence[ImageFile]) -> Callable[[], Made]:
        parts = (pictures[i : i + size] for i in range(0, len(pictures), size))
        return partial(_wait, [pool.submit(embedder.embed, part) for part in parts])

    try:
        yield start
    finally:
        pool.shutdown(cancel_futures=True)


def _wait(parts: Sequence[Future[Made]]) -> Made:
    return [one for part in parts for one in part.result()]
