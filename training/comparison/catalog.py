"""The measures that every comparison holds, and which of them decides what."""

from models.comparison_protocol import GoalMeasures, Measure

MEASURES = (
    Measure(
        name="accuracy",
        title="Accuracy",
        goal="classify",
        higher_is_better=True,
        percent=True,
        description="share of test images given the right class by the loss's own head",
    ),
    Measure(
        name="map_at_r",
        title="MAP@R",
        goal="retrieve",
        higher_is_better=True,
        percent=True,
        description="mean average precision at R, each test image a query against the others",
    ),
    Measure(
        name="recall_at_1",
        title="Recall@1",
        goal=None,
        secondary_to="retrieve",
        higher_is_better=True,
        percent=True,
        description="share of test images whose nearest other test image is of their class",
    ),
    Measure(
        name="unseen_map_at_r",
        title="Unseen classes: MAP@R",
        goal="retrieve unseen classes",
        higher_is_better=True,
        percent=True,
        description="mean average precision at R among the test images of the classes left out of "
        "training, each a query against the others",
    ),
    Measure(
        name="unseen_recall_at_1",
        title="Unseen classes: Recall@1",
        goal=None,
        secondary_to="retrieve unseen classes",
        higher_is_better=True,
        percent=True,
        description="share of those images whose nearest other one is of their class",
    ),
    Measure(
        name="eer",
        title="Equal error rate",
        goal="verify",
        higher_is_better=False,
        percent=True,
        description="over every pair of test images: same class or not, by the score of the pair",
    ),
    Measure(
        name="tar_at_far_1e-3",
        title="TAR at FAR 0.001",
        goal=None,
        secondary_to="verify",
        higher_is_better=True,
        percent=True,
        description="share of same-class pairs accepted where 0.1 % of the others are",
    ),
    Measure(
        name="opis",
        title="OPIS",
        goal=None,
        secondary_to="verify",
        higher_is_better=False,
        percent=True,
        description="operating-point inconsistency (arXiv 2307.04047): variance over classes of "
        "the harmonic mean of sensitivity and specificity at one threshold for all, mean over "
        "distances at which 1 % to 10 % of the pairs of two classes are accepted; 25 % at most",
    ),
    Measure(
        name="unseen_eer",
        title="Unseen classes: equal error rate",
        goal=None,
        secondary_to="verify",
        higher_is_better=False,
        percent=True,
        description="over every pair of test images of classes left out of training",
    ),
    Measure(
        name="unseen_opis",
        title="Unseen classes: OPIS",
        goal=None,
        secondary_to="verify",
        higher_is_better=False,
        percent=True,
        description="operating-point inconsistency over the classes left out of training",
    ),
    Measure(
        name="unknown_auroc",
        title="Unknowns: AUROC",
        goal="reject unknowns",
        higher_is_better=True,
        percent=True,
        description="chance that an image of a class left out of training scores as more unknown "
        "than one of a known class; the best of five scorers, chosen on training images",
    ),
    Measure(
        name="unknown_fpr95",
        title="Unknowns: FPR95",
        goal=None,
        secondary_to="reject unknowns",
        higher_is_better=False,
        percent=True,
        description="share of images of left-out classes accepted where 95 % of known ones are; "
        "the same scorer",
    ),
    Measure(
        name="unknown_accepted",
        title="Unknowns: accepted",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="share of images of left-out classes accepted by the same scorer, where the "
        "threshold accepts 95 % of calibration images",
    ),
    Measure(
        name="unknown_far_auroc",
        title="Far unknowns: AUROC",
        goal=None,
        secondary_to="reject unknowns",
        higher_is_better=True,
        percent=True,
        description="chance that an image of another data set scores as more unknown than one of a "
        "known class, mean over data sets; the scorer is chosen by training images of left-out "
        "classes",
    ),
    Measure(
        name="unknown_far_fpr95",
        title="Far unknowns: FPR95",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="share of images of other data sets accepted where 95 % of known ones are, "
        "mean over data sets; the same scorer",
    ),
    Measure(
        name="unknown_far_accepted",
        title="Far unknowns: accepted",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="share of images of other data sets accepted by the same scorer, where the "
        "threshold accepts 95 % of calibration images, mean over data sets",
    ),
    Measure(
        name="ece",
        title="ECE, calibrated",
        goal="be calibrated",
        higher_is_better=False,
        percent=True,
        description="expected calibration error over 15 equal-width bins, after the temperature",
    ),
    Measure(
        name="adaptive_ece",
        title="Adaptive ECE, calibrated",
        goal=None,
        secondary_to="be calibrated",
        higher_is_better=False,
        percent=True,
        description="the same over 15 bins of equally many images",
    ),
    Measure(
        name="nll",
        title="NLL, calibrated",
        goal=None,
        secondary_to="be calibrated",
        higher_is_better=False,
        percent=False,
        description="mean negative log-likelihood of the true class, in nats",
    ),
    Measure(
        name="aurc",
        title="AURC",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="mean error over all coverages, refusing the least confident first",
    ),
    Measure(
        name="augrc",
        title="AUGRC",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="share of all images that are accepted and wrong, mean over all coverages "
        "(arXiv 2407.01032)",
    ),
    Measure(
        name="fisher_ratio",
        title="Fisher ratio",
        goal=None,
        higher_is_better=True,
        percent=False,
        description="scatter between classes over scatter within them, of test embeddings",
    ),
    Measure(
        name="angular_margin",
        title="Angular margin",
        goal=None,
        higher_is_better=True,
        percent=False,
        description="mean angle to the nearest other class mean less that to the own, in radians",
    ),
    Measure(
        name="corrupted_accuracy",
        title="Accuracy, changed images",
        goal=None,
        secondary_to="classify",
        higher_is_better=True,
        percent=True,
        description="the same on a fixed sample of up to 2,000 test images, mean over nine changes "
        "such as noise, blur and JPEG, each at one strength",
    ),
    Measure(
        name="corrupted_ece",
        title="ECE, changed images",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="expected calibration error on the same changed images, mean over the changes, "
        "with the temperature of unchanged ones",
    ),
    Measure(
        name="corrupted_coverage",
        title="Coverage, changed images",
        goal=None,
        higher_is_better=True,
        percent=True,
        description="share of the same changed images answered at or above the least confidence at "
        "which 5 % of calibration images' answers are wrong",
    ),
    Measure(
        name="corrupted_error",
        title="Error of answers, changed images",
        goal=None,
        higher_is_better=False,
        percent=True,
        description="share of wrong answers among those, where 5 % was asked for",
    ),
    Measure(
        name="transfer_accuracy",
        title="Transfer",
        goal=None,
        higher_is_better=True,
        percent=True,
        description="accuracy of a linear probe of the frozen embeddings on another data set's "
        "classes, mean over data sets: logistic regression, C = 1, on up to 2,000 images",
    ),
)


GOALS = tuple(
    GoalMeasures(
        goal=one.goal,
        primary=one.name,
        secondary=tuple(other.name for other in MEASURES if other.secondary_to == one.goal),
    )
    for one in MEASURES
    if one.goal is not None
)
"""The measures that decide each goal: part of the protocol, before any run."""
