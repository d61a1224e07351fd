"""The answer of an audit of a collection."""

from pydantic import Field

from service.collections.audit import CollectionAudit
from service.http.responses.schemas import Schema


class LabelShown(Schema):
    """A label, and what its neighbors say."""

    id: str
    label: str
    suggested: str = Field(description="the label that most neighbors speak for")
    confidence: float = Field(description="share of the neighbors that carry the item's label")
    probable: bool = Field(description="whether confident learning counts it as an error")


class CopyShown(Schema):
    """Two items with nearly the same vector."""

    id: str
    other: str = Field(description="the one that was put before")
    distance: float = Field(description="1 - cosine, or Euclidean where that is the metric")
    same_label: bool


class OutlierShown(Schema):
    """An item far from all others."""

    id: str
    distance: float = Field(description="mean of those to the nearest ten")


class AuditAnswer(Schema):
    """Probable label errors, copies and outliers, the clearest first."""

    collection: str
    sequence: int = Field(description="of the collection, as it was audited")
    items: int
    labeled: int = Field(description="items with a label")
    labels: list[str]
    neighbors: int = Field(description="that voted on each label")
    probable: int = Field(description="labels that confident learning counts as errors")
    wrong: list[LabelShown] = Field(description="the least likely labels, at most `limit`")
    copies_found: int
    copies: list[CopyShown] = Field(description="at most `limit`")
    outliers_found: int
    outliers: list[OutlierShown] = Field(description="at most `limit`")


def show_audit(collection: str, audit: CollectionAudit, limit: int) -> AuditAnswer:
    """Describe an audit, the first of each list."""
    return AuditAnswer(
        collection=collection,
        sequence=audit.sequence,
        items=audit.items,
        labeled=audit.labeled,
        labels=list(audit.labels),
        neighbors=audit.neighbors,
        probable=audit.probable,
        wrong=[LabelShown(**vars(one)) for one in audit.wrong[:limit]],
        copies_found=len(audit.copies),
        copies=[CopyShown(**vars(one)) for one in audit.copies[:limit]],
        outliers_found=len(audit.outliers),
        outliers=[OutlierShown(**vars(one)) for one in audit.outliers[:limit]],
    )
