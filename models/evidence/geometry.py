"""The geometry of a model's embeddings: distances, angles, scatter, neural collapse, margins."""

from pydantic import Field

from models.manifest import Frozen, Metric


class PairValues(Frozen):
    """One quantity over every unordered pair of different images of one kind."""

    pairs: int = Field(ge=1, description="pairs with a defined value")
    mean: float
    std: float = Field(ge=0, description="population standard deviation (divided by `pairs`)")
    edges: tuple[float, ...] = Field(
        description="51 edges of 50 bins of equal width; a bin holds its lower edge, the last bin "
        "both. Distances: 0 to 2 where the metric is cosine, else 0 to twice the largest distance "
        "from the mean embedding (1 where all are equal). Angles: 0 to pi."
    )
    counts: tuple[int, ...] = Field(description="pairs in each of the 50 bins; they sum to `pairs`")


class Silhouette(Frozen):
    """Mean over images of (b - a) / max(a, b), from -1 to 1; Rousseeuw 1987.

    a: mean distance to the other images of the class; b: to the images of the nearest other class;
    0 for an image alone in its class. The distance is 1 - cosine where the metric is cosine, else
    Euclidean.
    """

    value: float | None = Field(description="none for fewer than 2 classes or all images alone")
    images: int = Field(description="test images used: all up to 10,000, else a stratified sample")


class NeuralCollapse(Frozen):
    """Papyan, Han and Donoho 2020, arXiv 2008.08186: NC1 to NC3 on training embeddings as served.

    mu_c is class c's mean training embedding, mu the unweighted mean of the C class means (as in
    the authors' code), m_c = mu_c - mu. Lower is more collapsed. None where undefined: all class
    means are equal, or fewer than 2 classes have training images.
    """

    train_images: int
    classes: int = Field(description="C: classes with at least one training image")
    nc1_within_over_between: float | None = Field(
        description="trace(S_W pinv(S_B)) / C; S_W: mean over training images of "
        "(x - mu_c)(x - mu_c)^T; S_B: mean over classes of m_c m_c^T"
    )
    nc2_norm_variation: float | None = Field(
        description="std over classes of |m_c| divided by their mean (equinorm)"
    )
    nc2_cosine_std: float | None = Field(
        description="std of cos(m_c, m_k) over pairs of different classes (equiangular)"
    )
    nc2_cosine_offset: float | None = Field(
        description="mean over the same pairs of |cos(m_c, m_k) + 1 / (C - 1)| (maximal angle)"
    )
    nc3_self_duality: float | None = Field(
        description="squared Frobenius distance of W / |W| and M / |M|, rows w_c and m_c; 0 to 4; "
        "none where the loss has no class weights"
    )
    nc4_disagreement: float | None = Field(
        description="share of test images whose most probable class is not that of the nearest "
        "mu_c, by Euclidean distance; none without test images"
    )


class AngularMargin(Frozen):
    """Angle to the nearest other class mean less the angle to the own class mean, in radians.

    Seen from the origin, between a test embedding and mean training embeddings. Positive where
    the own class is nearest.
    """

    images: int = Field(ge=1)
    mean_rad: float
    std_rad: float = Field(ge=0, description="population standard deviation")
    percentile_5_rad: float = Field(description="5th percentile, linearly interpolated")
    share_negative: float = Field(ge=0, le=1, description="share of images below 0")


class ClassMargin(Frozen):
    """The angular margins of one class's test images."""

    label: str
    margin: AngularMargin | None = Field(
        description="none where the class has no test image or no training image to compare with"
    )


class GeometrySection(Frozen):
    """The geometry of the test embeddings as served: unit length where the metric is cosine."""

    metric: Metric
    images: int = Field(description="test images")
    paired_images: int = Field(
        description="images of which every pair is measured: all test images up to 20,000, else "
        "a seeded stratified sample of 20,000"
    )
    seed: int = Field(description="of the samples")
    within_distance: PairValues | None = Field(
        description="Euclidean distances of two images of one class; none without such a pair"
    )
    between_distance: PairValues | None = Field(
        description="Euclidean distances of two images of different classes"
    )
    within_angle_rad: PairValues | None = Field(
        description="angles seen from the origin, in radians; embeddings of length 0 have none"
    )
    between_angle_rad: PairValues | None
    alignment: float | None = Field(
        description="mean squared distance of same-class pairs at unit length (Wang and Isola "
        "2020, arXiv 2005.10242, alpha 2); lower is tighter; over `paired_images`"
    )
    uniformity: float | None = Field(
        description="log of the mean over all pairs of different images of exp(-2 d^2) at unit "
        "length (the same source, t 2); lower is more even; over `paired_images`"
    )
    fisher_ratio: float | None = Field(
        description="trace of between-class scatter, sum over test images of |mean_c - mean|^2, "
        "over trace of within-class scatter, sum of |x - mean_c|^2, with test means; none where "
        "the latter is 0"
    )
    silhouette: Silhouette
    collapse: NeuralCollapse
    margin: AngularMargin | None = Field(description="over all test images")
    class_margins: tuple[ClassMargin, ...] = Field(description="in the order of the labels")
