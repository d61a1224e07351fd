"""The version of each model that answers: chosen in a file of the registry, apart from publishing.

`aliases.json` beside the models says for each of them its `current` version, which answers where a
request names none, the `candidate` that is tried beside it, and the versions that were current
before. A model that is not in it answers with its newest version.
"""

from pathlib import Path

from pydantic import Field, RootModel, ValidationError

from models.atomic import fsync, replacing
from models.errors import AliasesDamaged, BundleNotFound, NothingToRollBack
from models.manifest import Frozen, Name
from models.store import Store

ALIASES = "aliases.json"
_KEPT = 20  # versions that were current before


class Aliases(Frozen):
    """The versions of one model that have a name."""

    current: int | None = Field(None, ge=1, description="answers; none: the newest version does")
    candidate: int | None = Field(None, ge=1, description="tried beside the current version")
    earlier: tuple[int, ...] = Field((), description="current before, the latest last")


class _AliasFile(RootModel[dict[Name, Aliases]]):
    """The whole file."""


def read_aliases(root: Path) -> dict[str, Aliases]:
    """Read the aliases of each model of a registry. Raises AliasesDamaged."""
    path = root / ALIASES
    try:
        return _AliasFile.model_validate_json(path.read_bytes()).root
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AliasesDamaged(path.name, str(error)) from error
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = "".join(f"{part}: " for part in fault["loc"])
        raise AliasesDamaged(path.name, f"{place}{fault['msg']}") from error


def current_versions(store: Store) -> dict[str, int]:
    """The version of each model that answers where none is named: its current or its newest one.

    Raises AliasesDamaged, and BundleNotFound where a current version is not published.
    """
    aliases = read_aliases(store.root)
    found = {}
    for name in store.names():
        versions = store.versions(name)
        current = aliases.get(name, Aliases()).current
        if current is not None and current not in versions:
            raise BundleNotFound(name, current, tuple(f"{name}/{each}" for each in versions))
        found[name] = versions[-1] if current is None else current
    return found


def promote(store: Store, name: str, version: int) -> Aliases:
    """Make a version current, once every file of it was verified; nothing is loaded anew.

    A service takes it up when it is asked to read the registry again. Raises AliasesDamaged,
    BundleNotFound and BundleDamaged.
    """
    store.load(name, version)
    aliases = read_aliases(store.root)
    before = aliases.get(name, Aliases())
    if before.current == version:
        return before
    after = Aliases(
        current=version,
        candidate=None if before.candidate == version else before.candidate,
        earlier=(*before.earlier, *_answered(store, name, before, version))[-_KEPT:],
    )
    _write(store.root, aliases | {name: after})
    return after


def roll_back(store: Store, name: str) -> Aliases:
    """Make the version current that was so before.

    Raises NothingToRollBack where there is none, and what `promote` raises.
    """
    aliases = read_aliases(store.root)
    before = aliases.get(name, Aliases())
    if not before.earlier:
        raise NothingToRollBack(name)
    back = before.earlier[-1]
    store.load(name, back)
    after = before.model_copy(update={"current": back, "earlier": before.earlier[:-1]})
    _write(store.root, aliases | {name: after})
    return after


def propose(store: Store, name: str, version: int | None) -> Aliases:
    """Make a version the candidate, or none. Raises what `promote` raises."""
    if version is not None:
        store.load(name, version)
    aliases = read_aliases(store.root)
    after = aliases.get(name, Aliases()).model_copy(update={"candidate": version})
    _write(store.root, aliases | {name: after})
    return after


def _answered(store: Store, name: str, before: Aliases, version: int) -> tuple[int, ...]:
    """The version that answered before this one: the current one, or the newest of the others."""
    if before.current is not None:
        return (before.current,)
    return tuple(each for each in store.versions(name) if each != version)[-1:]


def _write(root: Path, aliases: dict[str, Aliases]) -> None:
    content = _AliasFile(dict(sorted(aliases.items()))).model_dump_json(indent=2)
    with replacing(root / ALIASES) as temporary:
        temporary.write_text(content + "\n", encoding="utf-8")
    fsync(root)
