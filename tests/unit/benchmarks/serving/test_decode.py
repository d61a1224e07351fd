"""The cost of an image before the model, measured on a folder that has a damaged one."""

import json
from pathlib import Path

from benchmarks.serving.decode import main
from tests.support.pictures import encode, photo


def test_a_damaged_image_is_left_out(tmp_path: Path) -> None:
    whole = encode(photo(size=(64, 48)), "JPEG")
    (tmp_path / "a.jpg").write_bytes(whole)
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) // 2])
    main([str(tmp_path), "--rounds", "1", "--json", str(tmp_path / "found.json")])
    (group,) = json.loads((tmp_path / "found.json").read_text())["groups"].values()
    assert group["images"] == 1
