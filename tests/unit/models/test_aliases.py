"""The version that answers: promoted, rolled back, and never one that is not whole."""

from pathlib import Path

import pytest

from models.__main__ import main
from models.aliases import (
    ALIASES,
    Aliases,
    current_versions,
    promote,
    propose,
    read_aliases,
    roll_back,
)
from models.bundle import MODEL
from models.errors import AliasesDamaged, BundleDamaged, BundleNotFound, NothingToRollBack
from models.store import Store
from tests.support.bundles import publish


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three versions of arcface, one of softmax."""
    for name in ("arcface", "arcface", "arcface", "softmax"):
        publish(tmp_path, name)
    return Store(tmp_path)


def test_without_aliases_the_newest_answers(store: Store) -> None:
    assert current_versions(store) == {"arcface": 3, "softmax": 1}


def test_publishing_is_not_rolling_out_where_a_version_is_current(store: Store) -> None:
    promote(store, "arcface", 2)
    publish(store.root, "arcface")
    assert store.versions("arcface")[-1] == 4
    assert current_versions(store) == {"arcface": 2, "softmax": 1}


def test_a_rollback_goes_back_one_promotion_at_a_time(store: Store) -> None:
    for version in (1, 2, 2, 3):
        promote(store, "arcface", version)
    assert read_aliases(store.root)["arcface"].earlier == (3, 1, 2)
    back = [roll_back(store, "arcface").current for _ in range(3)]
    assert back == [2, 1, 3]
    with pytest.raises(NothingToRollBack):
        roll_back(store, "arcface")


def test_the_first_promotion_of_the_newest_goes_back_to_the_one_before(store: Store) -> None:
    promote(store, "arcface", 3)
    assert roll_back(store, "arcface").current == 2


def test_the_only_version_has_nothing_to_go_back_to(store: Store) -> None:
    promote(store, "softmax", 1)
    with pytest.raises(NothingToRollBack):
        roll_back(store, "softmax")


def test_a_candidate_changes_nothing_until_it_is_promoted(store: Store) -> None:
    promote(store, "arcface", 2)
    propose(store, "arcface", 3)
    assert current_versions(store)["arcface"] == 2
    assert promote(store, "arcface", 3) == Aliases(current=3, candidate=None, earlier=(3, 2))


def test_what_is_damaged_or_not_there_is_not_promoted(store: Store) -> None:
    promote(store, "arcface", 1)
    before = (store.root / ALIASES).read_bytes()
    (store.root / "arcface" / "2" / MODEL).write_bytes(b"nonsense")
    with pytest.raises(BundleDamaged):
        promote(store, "arcface", 2)
    for name, version in (("arcface", 9), ("shoes", 1)):
        with pytest.raises(BundleNotFound):
            promote(store, name, version)
    assert (store.root / ALIASES).read_bytes() == before


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"arcface": {"current": 0}}', '{"arcface": {"now": 1}}', '{"../x": {}}'],
)
def test_a_damaged_file_is_named(store: Store, content: str) -> None:
    (store.root / ALIASES).write_text(content)
    with pytest.raises(AliasesDamaged) as refused:
        current_versions(store)
    assert len(refused.value.reason.splitlines()) == 1


def test_a_current_version_that_was_deleted_is_named(store: Store) -> None:
    (store.root / ALIASES).write_text('{"arcface": {"current": 7}}')
    with pytest.raises(BundleNotFound) as refused:
        current_versions(store)
    assert refused.value.version == 7


def test_the_commands_promote_list_and_roll_back(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--registry", str(store.root)]
    assert main(["promote", "arcface", "2", *where]) == 0
    assert main(["promote", "arcface", "3", "--as", "candidate", *where]) == 0
    assert main(["list", *where]) == 0
    assert "arcface: version 2 answers; published: 1, 2, 3; candidate: 3" in capsys.readouterr().out
    assert main(["rollback", "arcface", *where]) == 0
    assert main(["rollback", "arcface", *where]) == 1
    assert main(["promote", "arcface", "12", *where]) == 1
    assert current_versions(store)["arcface"] == 3
