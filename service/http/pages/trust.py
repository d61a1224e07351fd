"""Sentences about a model's confidence, its calibration and its thresholds."""

from typing import Literal

from models.evidence.bounds import CONFIDENCE, fewest_without_error
from models.evidence.confidence import Calibration, Confidence
from models.evidence.estimate import Estimate
from models.evidence.selective import Accepted, Threshold
from service.http.pages.filters import count, interval, number, percent

TRUSTED = 0.02  # the ECE that an interval may reach for "yes"
ROUGHLY = 0.05  # and for "roughly"
_FEW_ERRORS = 10  # below it, a split says little of how often sure answers are wrong


def trusted(confidence: Confidence) -> tuple[str, str]:
    """Say whether its confidence can be trusted, in a few words, and what that rests on."""
    after, before = confidence.after, confidence.before
    word, meaning = _trusted(after.ece)
    detail = (
        f"Expected calibration error (ECE): {percent(after.ece.value)} as served (95 % interval "
        f"{interval(after.ece, 'percent')}; adaptive ECE {percent(after.adaptive_ece.value)}, NLL "
        f"{number(after.nll)} nats), {percent(before.ece.value)} before calibration (NLL "
        f"{number(before.nll)} nats), on {count(confidence.n)} test images. {meaning}"
    )
    return f"{word}: {100 * after.ece.value:.1f} points off on average", detail


def _trusted(ece: Estimate) -> tuple[str, str]:
    if ece.high <= TRUSTED:
        return "Yes", "Answers are right about as often as their probability says."
    if ece.high <= ROUGHLY:
        return (
            "Roughly",
            "Answers are right some points more or less often than their probability says.",
        )
    if ece.low <= TRUSTED:
        return "Too few images to say", "The interval holds everything from “yes” to “no”."
    return "No", "Of answers given 80 %, far from 80 % may be right."


def calibration_notes(confidence: Confidence) -> list[str]:
    """Say how the temperature came about and what its split was good for, a sentence each."""
    fitted, errors = confidence.calibration, _errors(confidence)
    notes = [_fit(fitted), *_map(fitted)]
    if errors is not None:
        said = f"{count(errors)} of the {count(fitted.n)} images got the wrong class"
        few = min(errors, fitted.n - errors) < _FEW_ERRORS
        notes.append(f"{said}: too few to say how honest sure answers are." if few else f"{said}.")
    if fitted.also_read_for is not None:
        notes.append(
            f"The images of the split were also read for {fitted.also_read_for}. So errors on it "
            "are fewer than on new images, and what it promises is too hopeful; thresholds below "
            "have their bounds from the test set."
        )
    return notes


def _fit(fitted: Calibration) -> str:
    checked = fitted.cross_validation
    if fitted.method == "least_nll":
        return "The temperature has the least NLL of the split; no cross-validation checked it."
    if checked is None:
        return "One image is too few to fit a temperature by, so it is 1."
    gained = (
        f"On images of the split that it had not seen ({checked.folds} folds), the temperature "
        f"that Platt's soft targets ask for gained {number(checked.gain)} nats (standard error "
        f"{number(checked.standard_error)})"
    )
    if checked.favored:
        return f"{gained}, so it is served."
    return f"{gained}: not enough to say that it helps, so it is 1."


def _map(fitted: Calibration) -> list[str]:
    checked = fitted.map_check
    if checked is None:
        return []
    gained = (
        "Half the way from the probability after the temperature to a fitted map gained "
        f"{number(checked.gain_half)} nats of right and wrong on images of the split that the map "
        f"had not seen (standard error {number(checked.standard_error_half)}), and all of the way "
        f"{number(checked.gain_whole)}"
    )
    served = {0.0: "too little, so no map is served", 0.5: "so half of it is served"}
    return [f"{gained}: {served.get(checked.share, 'so all of it is served')}."]


def _errors(confidence: Confidence) -> int | None:
    if confidence.calibration.errors is not None:
        return confidence.calibration.errors
    sides = [choice.calibration for choice in confidence.selective.choices]
    return next((side.errors for side in sides if side.n == confidence.calibration.n), None)


def bounding_split(calibration: Calibration) -> Literal["calibration", "test"]:
    """The split whose errors bound a threshold's: one that nothing was chosen by."""
    return "calibration" if calibration.also_read_for is None else "test"


def threshold_sentence(confidence: Confidence, max_error: float, found: Threshold | None) -> str:
    """Say what the threshold that was found does, or why none was."""
    wanted = percent(max_error)
    if found is None:
        return _no_threshold(confidence, max_error)
    chosen, test = found.choice.calibration, found.choice.test
    held = (
        f"Accept an answer where its probability is at least {chosen.threshold:.6g}. With "
        f"{CONFIDENCE:.0%} confidence at most {percent(found.bound)} of such answers are wrong on "
        f"images of the same kind, no more than the {wanted} asked for: ".replace("95%", "95 %")
    )
    on_test = f"the test set keeps {_kept(test, confidence.n)}"
    if found.split == "test":
        return (
            f"{held}{on_test}. The calibration split bounds nothing, for it was also read for "
            f"{confidence.calibration.also_read_for}."
        )
    return (
        f"{held}the calibration split keeps {_kept(chosen, confidence.calibration.n)}. Of the "
        f"images that had no say, {on_test} (at most {percent(test.upper)}, one-sided 95 % bound)."
    )


def _no_threshold(confidence: Confidence, max_error: float) -> str:
    if not confidence.selective.choices:
        return "There is no calibration split to choose a threshold from."
    split = bounding_split(confidence.calibration)
    n = confidence.calibration.n if split == "calibration" else confidence.n
    name = "calibration split" if split == "calibration" else "test set"
    least = fewest_without_error(max_error)
    if least is None or n < least:
        needed = "no number of images" if least is None else f"at least {count(least)} images"
        return (
            f"No threshold can be said to keep the share of wrong answers at {percent(max_error)}: "
            f"that takes {needed} without an error, and the {name} has {count(n)}, too few to say."
        )
    return (
        f"No threshold can be said with 95 % confidence to keep the share of wrong answers at "
        f"{percent(max_error)}: the {count(n)} images of the {name} show too many errors, or too "
        "few images at the thresholds with fewer."
    )


def _kept(accepted: Accepted, n: int) -> str:
    if accepted.error is None:
        return f"none of {count(n)} images"
    return (
        f"{count(accepted.n)} of {count(n)} images ({percent(accepted.coverage)}), "
        f"{percent(accepted.error)} of them wrong"
    )
