"""Pneumonia on frontal chest radiographs."""

from domain.acceptance import at_least
from domain.codes import PNEUMONIA
from domain.intended_use import IntendedUse
from domain.preprocessing import Preprocessing
from models.losses import BalancedCrossEntropy
from models.networks import DenseNet
from models.task import Preset, Task
from models.transforms import RadiographAugmentation

TASK = Task(
    title="Pneumonia on chest radiographs",
    intended_use=IntendedUse(
        statement="Draws a radiologist's attention to possible pneumonia on frontal chest radiographs. Developed on "
        "films of children of 1 to 5 years; no performance is claimed for other ages. A radiologist reads every film; "
        "the answer is no diagnosis.",
        modalities=frozenset({"CR", "DX"}),
        body_parts=frozenset({"CHEST"}),
        view_positions=frozenset({"AP", "PA"}),
    ),
    finding=PNEUMONIA,
    source="kermany_chest_xray",
    external_sources=("nih_chest_xray",),
    substitute="phantom_chest",
    substitute_externals=("phantom_chest_elsewhere",),
    augmentation=RadiographAugmentation(),
    loss=BalancedCrossEntropy(),
    min_sensitivity=0.95,
    accept=(at_least("auroc", lower_bound=0.80), at_least("sensitivity", lower_bound=0.80)),  # docs/adr/0013
    presets={
        "smoke": Preset(
            preprocessing=Preprocessing(size_px=48),
            network=DenseNet(init_features=8, growth_rate=8, block_config=(2, 2)),
            epochs=6, samples_per_epoch=512, learning_rate=6e-3, averaging=0.95, patience=6, baseline_grid_px=16,
        ),
        "demo": Preset(
            preprocessing=Preprocessing(size_px=96),
            network=DenseNet(init_features=16, growth_rate=16, block_config=(2, 4, 6)),
            epochs=7, samples_per_epoch=2048, learning_rate=4e-3, patience=7,
        ),
        "reference": Preset(
            preprocessing=Preprocessing(size_px=144),
            network=DenseNet(init_features=32, growth_rate=16, block_config=(4, 6, 6)),
            epochs=24, samples_per_epoch=4096, learning_rate=3e-3, patience=8,
        ),
    },
)  # fmt: skip
