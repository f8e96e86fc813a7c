"""SYNTHETIC chest films of a third imaginary hospital, with other equipment: the external set of the demo."""

from data.phantoms.cohort import Cohort, Site
from data.phantoms.source import PhantomSource
from data.source import SplitShares
from domain.dataset import Distribution, File, SourceCard
from domain.identifiers import Sha256

COHORT = Cohort(
    name="phantom_chest_elsewhere",
    patients=213,
    size_px=160,
    prevalence=0.42,
    sites=(
        Site(
            key="phantom-elsewhere",
            share=1.0,
            film={
                "inverse_scale": (0.96, 1.12),
                "exposure": (0.02, 0.12),
                "gain": (0.78, 0.96),
                "curve": (0.1, 0.7),
                "scatter": (0.15, 0.35),
                "blur": (0.6, 1.0),
                "noise": (0.025, 0.05),
            },
            patient={"chest_width": (0.96, 1.14), "soft_tissue": (0.58, 0.72), "rib_density": (0.05, 0.09)},
        ),
    ),
    copies=0,
    shared_films=0,
    re_exports=0,
)


class PhantomChestElsewhere(PhantomSource):
    """External films: never trained on."""

    cohort = COHORT
    shares = SplitShares(tune=0.0, test=1.0)
    card = SourceCard(
        name="phantom_chest_elsewhere",
        title="Phantom chest films of another hospital (SYNTHETIC)",
        synthetic=True,
        licence="Apache-2.0 (made by this project's code)",
        citation="Fiducial phantom generator, data/phantoms",
        homepage=None,
        reference_standard="By construction: a film is positive when the generator drew an opacity into its lungs.",
        population="Imaginary children of 1 to 5 years at one imaginary hospital; larger patients, AP and PA views.",
        known_flaws=(
            "SYNTHETIC: says nothing about any patient; a result on it shows that the machinery works, no more.",
            "The shift is made on purpose (exposure, tone curve, scatter, blur, noise, larger patients) and is milder "
            "than that between real hospitals.",
        ),
        use="external",
        distributions=(
            Distribution(
                name="generated",
                files=(
                    File(
                        name="images_160.tar",
                        sha256=Sha256("0d41d0fa79d737ff8a51a46455e402643f1870c05ad181faf93fb19507415cb5"),
                    ),
                    File(
                        name="index.csv",
                        sha256=Sha256("475601c598094f63d9a375fa2b1a306a1177d717f21f38c74919c7f5d44762e4"),
                    ),
                ),
                note="The generator gives these bytes on every platform.",
            ),
        ),
    )


SOURCE = PhantomChestElsewhere()
