"""Networks that end in global average pooling and one linear unit.

With that ending the class activation map (Zhou et al., CVPR 2016) is exact: the linear unit applied at each place of
the last feature map; the map's mean *is* the logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from models.task import NetworkSpec

if TYPE_CHECKING:
    import torch


class NetworkOutput(NamedTuple):
    """What one forward pass gives for n inputs."""

    logit: torch.Tensor  # (n,)
    activation_map: torch.Tensor  # (n, rows, columns), in logits
    embedding: torch.Tensor  # (n, channels)


class DenseNet(NetworkSpec):
    """MONAI's DenseNet (Huang et al., CVPR 2017), narrow enough for a processor without an accelerator."""

    init_features: int
    growth_rate: int
    block_config: tuple[int, ...]
    bottleneck: int = 2
    dropout: float = 0.0

    def build(self) -> torch.nn.Module:
        """A DenseNet for one input channel and one logit; its parts are ``features`` and ``head``."""
        import torch
        from monai.networks.nets.densenet import DenseNet as MonaiDenseNet

        whole = MonaiDenseNet(
            spatial_dims=2,
            in_channels=1,
            out_channels=1,
            init_features=self.init_features,
            growth_rate=self.growth_rate,
            block_config=self.block_config,
            bn_size=self.bottleneck,
            dropout_prob=self.dropout,
        )
        features = torch.nn.Sequential(whole.features, whole.class_layers.relu)
        return torch.nn.ModuleDict({"features": features, "head": whole.class_layers.out})


class ResNet(NetworkSpec):
    """MONAI's ResNet of basic blocks (He et al., CVPR 2016), narrow."""

    layers: tuple[int, int, int, int]
    channels: tuple[int, int, int, int]
    pool_early: bool = False

    def build(self) -> torch.nn.Module:
        """A ResNet for one input channel and one logit; its parts are ``features`` and ``head``."""
        import torch
        from monai.networks.nets.resnet import ResNet as MonaiResNet

        whole = MonaiResNet(
            block="basic",
            layers=list(self.layers),
            block_inplanes=list(self.channels),
            spatial_dims=2,
            n_input_channels=1,
            conv1_t_size=5,
            conv1_t_stride=2,
            no_max_pool=not self.pool_early,
            num_classes=1,
        )
        stem = [whole.conv1, whole.bn1, whole.act] + ([whole.maxpool] if self.pool_early else [])
        features = torch.nn.Sequential(*stem, whole.layer1, whole.layer2, whole.layer3, whole.layer4)
        return torch.nn.ModuleDict({"features": features, "head": whole.fc})


def build(spec: NetworkSpec, *, seed: int) -> torch.nn.Module:
    """A freshly initialised network of this specification, the same for the same seed."""
    import torch

    torch.manual_seed(seed)
    return spec.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def forward(network: torch.nn.Module, inputs: torch.Tensor) -> NetworkOutput:
    """Logit, class activation map and embedding of inputs (n, 1, rows, columns)."""
    features = network["features"](inputs)  # type: ignore[index]
    head = network["head"]  # type: ignore[index]
    activation_map = (features * head.weight.reshape(1, -1, 1, 1)).sum(dim=1) + head.bias
    return NetworkOutput(activation_map.mean(dim=(1, 2)), activation_map, features.mean(dim=(2, 3)))


def answer(
    network: torch.nn.Module, inputs: torch.Tensor, *, slope: float, intercept: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Probability, activation map and embedding with logits scaled, as an exported model gives them."""
    import torch

    output = forward(network, inputs)
    probability = torch.sigmoid(slope * output.logit + intercept)
    return probability, slope * output.activation_map + intercept, output.embedding
