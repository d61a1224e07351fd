"""A synthetic section on pairs."""

from models.evidence.pairs import HeldOut, PairMap, PairRates, PairsJudged, PairsSection
from tests.support.classified import N
from tests.support.report_sections import estimate


def pairs() -> PairsSection:
    """Thresholds whose rates are far apart, so that tests can tell them from each other."""

    def rates(shift: float) -> tuple[PairRates, ...]:
        return tuple(
            PairRates(
                threshold=threshold,
                far=estimate(far + shift, 1e-4),
                frr=estimate(frr + shift, 1e-3),
            )
            for threshold, far, frr in ((-0.9, 0.9, 0.01), (0.2, 0.1, 0.05), (0.8, 0.001, 0.4))
        )

    def judged(name: str, shift: float) -> PairsJudged:
        return PairsJudged(
            name=name,
            sha256=None if name == "test" else "1" * 64,
            trained=name == "test",
            images=N,
            classes=10,
            genuine_pairs=49_500,
            impostor_pairs=450_000,
            ece=estimate(0.0061 + shift, 0.002),
            nll=estimate(0.4171 + shift),
            rates=rates(shift),
        )

    return PairsSection(
        metric="cosine",
        score="cosine",
        images=500,
        genuine_pairs=12_250,
        impostor_pairs=112_500,
        split_prior=0.0982,
        method="beta",
        held_out=(HeldOut(method="beta", nll=0.4171), HeldOut(method="logistic", nll=0.4187)),
        map=PairMap(scores=(-0.5, 0.2, 0.9), log_odds=(-4.0, 0.0, 4.0)),
        rates=rates(0.0),
        test=judged("test", 0.0005),
        others=(judged("glyphs", 0.05),),
    )
