"""The comparison on disk: one folder beside the models, replaced as a whole."""

import shutil
from pathlib import Path

from pydantic import ValidationError

from models.atomic import new_folder
from models.comparison import ComparisonReport
from models.errors import ComparisonDamaged
from models.manifest import is_name

_REPORT = "comparison.json"
_FIGURES = "figures"


def read_comparison(folder: Path, name: str) -> ComparisonReport | None:
    """The comparison in that folder; None where there is none.

    Raises ComparisonDamaged where it cannot be read, or says that it has another name.
    """
    try:
        report = ComparisonReport.model_validate_json((folder / _REPORT).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ComparisonDamaged(f"{_REPORT}: {error}") from error
    if report.name != name:
        raise ComparisonDamaged(f"{_REPORT}: its name must be {name!r} (got {report.name!r})")
    return report


def comparison_figures(folder: Path) -> dict[str, Path]:
    """The SVG files that came with the comparison, by name, sorted."""
    found = sorted((folder / _FIGURES).glob("*.svg"))
    return {path.stem: path for path in found if is_name(path.stem) and path.is_file()}


def write_comparison(folder: Path, report: ComparisonReport, figures: Path) -> None:
    """Make `folder` hold this report and every SVG of the folder `figures`, and nothing else.

    All of it or nothing: after any error the old one stays. Raises ValueError where the report
    is not what the schema says or a figure cannot have its name.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(folder, replace=True) as staging:
        _fill(staging, report, figures)


def _fill(staging: Path, report: ComparisonReport, figures: Path) -> None:
    content = report.model_dump_json(indent=2)
    ComparisonReport.model_validate_json(content)  # model_copy would have validated nothing
    (staging / _REPORT).write_text(content + "\n")
    (staging / _FIGURES).mkdir()
    for path in figures.glob("*.svg"):
        if not is_name(path.stem):
            raise ValueError(f"{path.stem!r} cannot name a figure")
        shutil.copyfile(path, staging / _FIGURES / path.name)
