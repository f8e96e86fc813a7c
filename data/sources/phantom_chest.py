"""SYNTHETIC chest films of two imaginary hospitals: what the demo learns from where no real images can be had."""

from data.phantoms.cohort import Cohort, Site
from data.phantoms.source import PhantomSource
from domain.dataset import Distribution, File, SourceCard
from domain.identifiers import Sha256

COHORT = Cohort(
    name="phantom_chest",
    patients=1300,
    size_px=160,
    prevalence=0.42,
    sites=(
        Site(key="phantom-north", share=0.6),
        Site(key="phantom-south", share=0.4, film={"gain": (0.96, 1.16), "blur": (0.3, 0.9)}),
    ),
    copies=12,
    shared_films=2,
    re_exports=4,
)


class PhantomChest(PhantomSource):
    """Development films."""

    cohort = COHORT
    card = SourceCard(
        name="phantom_chest",
        title="Phantom chest films (SYNTHETIC)",
        synthetic=True,
        licence="Apache-2.0 (made by this project's code)",
        citation="Fiducial phantom generator, data/phantoms",
        homepage=None,
        reference_standard="By construction: a film is positive when the generator drew an opacity into its lungs.",
        population="Imaginary children of 1 to 5 years at two imaginary hospitals; AP and PA views.",
        known_flaws=(
            "SYNTHETIC: says nothing about any patient; a result on it shows that the machinery works, no more.",
            "Drawn from simple shapes: a network that reads it well may know nothing of real films.",
            "Faint opacities are common on purpose, so that no classifier reaches an AUROC of 1.",
            "12 films are stored twice byte for byte, 2 of them under a second patient key, and 4 films are there a "
            "second time as a re-export with other grey levels: planted, to show that duplicates are found.",
        ),
        use="development",
        distributions=(
            Distribution(
                name="generated",
                files=(
                    File(
                        name="images_160.tar",
                        sha256=Sha256("598b0aa1c944347ba87fefeefd71760502c4e3627d87570c2287700b1decdfc0"),
                    ),
                    File(
                        name="index.csv",
                        sha256=Sha256("a706bc762f5426d829ebf5148e7288d507b06c014d729896b0f9c60f9dae89b3"),
                    ),
                ),
                note="The generator gives these bytes on every platform.",
            ),
        ),
    )


SOURCE = PhantomChest()
