"""The errors of what the registry holds: a figure, a map, a sheet that is not there. Facts only."""

from service.errors import ServiceError


class UnknownComparison(ServiceError):
    """No comparison of that name is published."""

    def __init__(self, name: str, available: tuple[str, ...]) -> None:
        super().__init__(f"no comparison {name!r}; available: {', '.join(available) or 'none'}")
        self.name = name
        self.available = available


class UnknownFigure(ServiceError):
    """The report has no figure of that name."""

    def __init__(self, name: str, available: tuple[str, ...]) -> None:
        super().__init__(f"no figure {name!r}; available: {', '.join(available) or 'none'}")
        self.name = name
        self.available = available


class UnknownThumbnail(ServiceError):
    """The model's gallery has no thumbnail of that row."""

    def __init__(self, row: int, count: int) -> None:
        super().__init__(f"no thumbnail {row}; there are {count:,}, counted from 0")
        self.row = row
        self.count = count


class UnknownMap(ServiceError):
    """The model was published without a map of its images."""

    def __init__(self, name: str, version: int, data: str) -> None:
        super().__init__(
            f"{name}/{version} has no map; make it: python -m training reevaluate --only map "
            f"--model models/registry/{name}/{version} --data {data}, then restart the service"
        )
        self.name = name
        self.version = version


class UnknownClass(ServiceError):
    """The model knows no class of that name."""

    def __init__(self, name: str, available: tuple[str, ...]) -> None:
        super().__init__(f"no class {name!r}; available: {', '.join(available)}")
        self.name = name
        self.available = available


class UnknownSheet(ServiceError):
    """No model of the registry has that sheet of test images."""

    def __init__(self, sha256: str, index: int) -> None:
        super().__init__(f"no sheet {index} of {sha256!r}; GET /report/{{loss}}/map lists them")
        self.sha256 = sha256
        self.index = index
