"""Measures of quality and rate."""

from vqvae.evaluation.evaluate import ImageResult, evaluate_image, summarize
from vqvae.evaluation.fidelity import mean_squared_error, ms_ssim, psnr, psnr_of, ssim

__all__ = ["ImageResult", "evaluate_image", "mean_squared_error", "ms_ssim", "psnr", "psnr_of", "ssim", "summarize"]
