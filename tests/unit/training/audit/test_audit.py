"""A folder with known leaks, duplicates, flipped labels and broken files, audited as a command."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.tiny_runs import SAMPLE
from training.__main__ import main
from training.audit.findings import Audit

ROOT = Path(__file__).parents[4]
MODEL = ROOT / "models" / "registry" / "softmax" / "2"
CLASSES = ("airplane", "cat", "frog", "ship")


def photographs(name: str) -> list[Path]:
    return sorted((SAMPLE / "train" / name).iterdir())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("audited") / "data"
    for part in ("train", "test"):
        for name in CLASSES:
            shutil.copytree(SAMPLE / part / name, root / part / name)
    frogs, ships = photographs("frog"), photographs("ship")
    shutil.move(root / "train" / "frog" / frogs[0].name, root / "train" / "ship" / "flipped.jpg")
    shutil.move(root / "train" / "ship" / ships[0].name, root / "train" / "cat" / "flipped.jpg")
    shutil.copyfile(ships[1], root / "train" / "ship" / "twin.jpg")
    with Image.open(ships[2]) as image:
        image.save(root / "test" / "ship" / "leak.png")
        image.resize((10, 10)).save(root / "train" / "cat" / "tiny.png")
        image.resize((200, 40)).save(root / "train" / "cat" / "long.png")
    Image.new("RGB", (40, 40), (9, 9, 9)).save(root / "train" / "cat" / "blank.png")
    (root / "train" / "cat" / "broken.jpg").write_bytes(ships[3].read_bytes()[:200])
    (root / "train" / "cat" / "=1+1.jpg").write_bytes(b"")
    return root


def audited(folder: Path, out: Path, cache: Path, *more: str) -> int:
    command = ["audit", f"--data={folder}", f"--model={MODEL}", f"--out={out}", f"--cache={cache}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["training", *command, *more])
        return main()


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    assert audited(folder, out / "audit", out / "cache") == 0
    return out / "audit"


@pytest.fixture(scope="module")
def audit(out: Path) -> Audit:
    return Audit.model_validate_json((out / "audit.json").read_bytes())


def test_the_leak_is_found_and_nothing_else(audit: Audit) -> None:
    (leak,) = audit.of("leaks")
    assert leak.id == "test/ship/leak.png"
    assert leak.other == f"train/ship/{photographs('ship')[2].name}"
    assert leak.part == "test"


def test_the_duplicate_is_found(audit: Audit) -> None:
    twins = {(one.id, one.other, one.score) for one in audit.of("duplicates")}
    assert ("train/ship/twin.jpg", f"train/ship/{photographs('ship')[1].name}", 0.0) in twins


def test_flipped_labels_are_probable_errors_with_their_class(audit: Audit) -> None:
    found = {one.id: one for one in audit.of("labels") if one.probable}
    assert found["train/ship/flipped.jpg"].suggested == "frog"
    assert found["train/cat/flipped.jpg"].suggested == "ship"


def test_images_that_no_network_reads_are_named_with_the_reason(audit: Audit) -> None:
    reasons = {one.id: one.reason for one in audit.of("unreadable")}
    assert {name.split("/")[-1] for name in reasons} == {
        *("tiny.png", "long.png", "blank.png", "broken.jpg", "=1+1.jpg")
    }
    assert "10 x 10" in reasons["train/cat/tiny.png"]
    assert "200 x 40" in reasons["train/cat/long.png"]


def test_ranks_count_from_one_and_labels_rise_in_confidence(audit: Audit) -> None:
    for kind in ("leaks", "duplicates", "labels", "outliers", "unreadable"):
        found = audit.of(kind)
        assert [one.rank for one in found] == list(range(1, len(found) + 1))
    scores = [one.score for one in audit.of("labels")]
    assert scores == sorted(scores, key=lambda score: score or 0.0)
    assert audit.counts.labels == sum(one.probable for one in audit.of("labels"))


def test_the_table_has_the_same_findings_and_no_formula(out: Path, audit: Audit) -> None:
    rows = list(csv.DictReader(StringIO((out / "audit.csv").read_text(encoding="utf-8"))))
    assert [(row["kind"], row["rank"]) for row in rows] == [
        (one.kind, str(one.rank)) for one in audit.findings
    ]
    assert not any(value.startswith("=") for row in rows for value in row.values())


class Page(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_loads_nothing_and_runs_nothing(out: Path) -> None:
    text = (out / "index.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    assert "script" not in {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not any(name == "style" or name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("data:image/png;base64,", "#"))
    policies = [a for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert re.search(r"default-src 'none'.*style-src 'sha256-", policies[0]["content"] or "")
    assert sum(tag == "img" for tag, _ in page.tags) > 5


def test_what_may_pass_is_the_users_choice(
    folder: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = out.parent / "cache"
    assert audited(folder, tmp_path / "a", cache, "--fail-on=leaks") == 3
    assert "1 leaks" in capsys.readouterr().err
    assert (tmp_path / "a" / "audit.csv").is_file()
    assert audited(folder, tmp_path / "a", cache, "--fail-on=leaks=1", "--fail-on=labels=900") == 0


@pytest.mark.parametrize("wrong", ["ghosts", "leaks=", "leaks=-1", "leaks=x"])
def test_an_unknown_limit_is_refused(folder: Path, tmp_path: Path, wrong: str) -> None:
    with pytest.raises(SystemExit) as stop:
        audited(folder, tmp_path, tmp_path, f"--fail-on={wrong}")
    assert stop.value.code == 2


def test_neither_a_model_nor_a_run_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["training", "audit", f"--data={folder}", f"--model={tmp_path}"])
        assert main() == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_a_folder_of_broken_files_alone_is_refused(tmp_path: Path) -> None:
    for name in ("cat", "ship"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            (tmp_path / "data" / name / f"{number}.jpg").write_bytes(b"no")
    assert audited(tmp_path / "data", tmp_path / "out", tmp_path / "cache") == 1


def test_classes_of_one_image_are_listed_without_a_judgment(tmp_path: Path) -> None:
    for number, name in enumerate(CLASSES[:2]):
        for part in ("train", "test"):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            source = sorted((SAMPLE / part / name).iterdir())[number]
            shutil.copyfile(source, tmp_path / "data" / part / name / "0.jpg")
    assert audited(tmp_path / "data", tmp_path / "out", tmp_path / "cache") == 0


def test_four_fifths_of_flipped_labels_are_in_the_first_twentieth(tmp_path: Path) -> None:
    """At full size, docs/data.md has the figures; here 400 images of the sample, 12 flipped."""
    rng = np.random.default_rng(0)
    files = [
        (path, path.parent.name, part)
        for part in ("train", "test")
        for path in sorted((SAMPLE / part).glob("*/*.jpg"))
    ]
    names = sorted({name for _, name, _ in files})
    flipped = set(rng.choice(len(files), round(0.03 * len(files)), replace=False).tolist())
    moved = set()
    for number, (path, name, part) in enumerate(files):
        label = names[(names.index(name) + 1 + number % 8) % 10] if number in flipped else name
        place = tmp_path / "data" / part / label / f"{name}-{path.name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        if number in flipped:
            moved.add(place.relative_to(tmp_path / "data").as_posix())
    assert audited(tmp_path / "data", tmp_path / "out", tmp_path / "cache") == 0
    audit = Audit.model_validate_json((tmp_path / "out" / "audit.json").read_bytes())
    first = {one.id for one in audit.of("labels")[: round(0.05 * len(files))]}
    assert len(first & moved) >= 0.8 * len(moved)


def test_ctrl_c_leaves_no_half_result(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training", "audit", f"--data={folder}", f"--model={MODEL}"]
    command += [f"--out={tmp_path / 'out'}", f"--cache={tmp_path / 'cache'}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("decoding"):
                break
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode in (0, 130)  # 0 where it was done before the signal came
    names = {path.name for path in (tmp_path / "out").glob("*")}
    assert names in (set(), {"audit.json", "audit.csv", "index.html"})
    if names:
        json.loads((tmp_path / "out" / "audit.json").read_text())
