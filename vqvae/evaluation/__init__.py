"""Measures of quality and rate."""

from vqvae.evaluation.quality import mean_squared_error, psnr, psnr_of, ssim

__all__ = ["mean_squared_error", "psnr", "psnr_of", "ssim"]
