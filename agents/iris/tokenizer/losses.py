"""How far a reconstruction is off. Pictures are [B, C, H, W] within [0, 1]."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def worst_pixel(reconstructed: Tensor, pictures: Tensor) -> Tensor:
    """The greatest squared error of a picture, a mean over the batch."""
    return (reconstructed - pictures).square().flatten(1).amax(1).mean()


def ssim_loss(reconstructed: Tensor, pictures: Tensor) -> Tensor:
    """1 - the structural similarity of Wang et al. 2004, a Gaussian window of at most 11 pixels."""
    size = min(WINDOW, *pictures.shape[2:])
    size -= 1 - size % 2
    offsets = torch.arange(size, dtype=pictures.dtype, device=pictures.device) - (size - 1) / 2
    line = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    window = torch.outer(line, line)
    channels = pictures.shape[1]
    window = (window / window.sum()).expand(channels, 1, size, size)

    def mean(x: Tensor) -> Tensor:
        return functional.conv2d(x, window, groups=channels)

    mean_x, mean_y = mean(reconstructed), mean(pictures)
    variance_x = mean(reconstructed.square()) - mean_x.square()
    variance_y = mean(pictures.square()) - mean_y.square()
    covariance = mean(reconstructed * pictures) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    scale = (mean_x.square() + mean_y.square() + C1) * (variance_x + variance_y + C2)
    return 1 - (likeness / scale).mean()


def focal_frequency_loss(reconstructed: Tensor, pictures: Tensor) -> Tensor:
    """Jiang et al. 2021, equation 8 with α = 1: squared differences of spectra, weighted by their
    size, which is no gradient's business."""
    difference = torch.fft.fft2(reconstructed, norm="ortho") - torch.fft.fft2(
        pictures, norm="ortho"
    )
    distance = difference.real.square() + difference.imag.square()
    weight = distance.detach().sqrt()
    weight = weight / weight.amax((2, 3), keepdim=True).clamp(min=1e-12)
    loss: Tensor = (weight * distance).mean()
    return loss
