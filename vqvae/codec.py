"""Images to bytes and back."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from vqvae.autoencoder import AutoEncoder, normalize, to_pixels
from vqvae.coding import Container, EntropyModel, pack, unpack
from vqvae.coding.container import FINGERPRINT_BYTES
from vqvae.errors import BitstreamError


class Codec:
    """Compresses 8-bit RGB images of any size with one model.

    Args:
        autoencoder: the network; set to evaluation here.
        entropy_model: codes its indices.
        fingerprint: tells files of this model from those of others; at least 3 bytes.
    """

    def __init__(self, autoencoder: AutoEncoder, entropy_model: EntropyModel, fingerprint: bytes):
        self.autoencoder = autoencoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.entropy_model = entropy_model
        self.fingerprint = fingerprint

    def to(self, device: torch.device | str) -> "Codec":
        """Moves the network to a device, and returns the codec itself."""
        self.autoencoder.to(device)
        return self

    @torch.inference_mode()
    def compress(self, image: UInt8[np.ndarray, "H W 3"]) -> bytes:
        """The file for an image."""
        indices = self.autoencoder.encode(self._prepare(image))[0]
        payload = self.entropy_model.encode(indices.cpu().numpy())
        height, width, _ = image.shape
        return pack(Container(width, height, self.entropy_model.code, self.fingerprint, payload))

    @torch.inference_mode()
    def decompress(self, data: bytes) -> UInt8[np.ndarray, "H W 3"]:
        """The image of a file.

        Raises:
            BitstreamError: the file is foreign, truncated, corrupt, or made with another model.
        """
        container = unpack(data)
        self._check_model(container)
        stride = self.autoencoder.stride
        grid = -(-container.height // stride), -(-container.width // stride)
        indices = torch.from_numpy(self.entropy_model.decode(container.payload, *grid))
        images = self.autoencoder.decode(indices.unsqueeze(0).to(self._device))
        return _crop(images, container.height, container.width)

    @torch.inference_mode()
    def reconstruct(self, image: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """The image as the model itself returns it, without a file in between."""
        return _crop(self.autoencoder(self._prepare(image)).images, *image.shape[:2])

    @property
    def _device(self) -> torch.device:
        return self.autoencoder.quantizer.codebooks.device

    def _prepare(self, image: UInt8[np.ndarray, "H W 3"]) -> Float[Tensor, "1 3 h w"]:
        """As the network takes it: normalised, its last row and column repeated up to a whole stride."""
        pixels = torch.tensor(np.ascontiguousarray(image), device=self._device).permute(2, 0, 1).unsqueeze(0)
        height, width, _ = image.shape
        stride = self.autoencoder.stride
        padded = F.pad(normalize(pixels), (0, -width % stride, 0, -height % stride), mode="replicate")
        return padded.contiguous(memory_format=torch.channels_last)

    def _check_model(self, container: Container) -> None:
        if container.fingerprint != self.fingerprint[:FINGERPRINT_BYTES]:
            raise BitstreamError(
                f"made with another model: its fingerprint is {container.fingerprint.hex()}, "
                f"this model's {self.fingerprint[:FINGERPRINT_BYTES].hex()}"
            )
        if container.entropy_code != self.entropy_model.code:
            raise BitstreamError(
                f"coded with entropy model {container.entropy_code}, but this model's is {self.entropy_model.code}"
            )


def _crop(images: Float[Tensor, "1 3 h w"], height: int, width: int) -> UInt8[np.ndarray, "H W 3"]:
    return to_pixels(images)[0, :, :height, :width].permute(1, 2, 0).contiguous().cpu().numpy()
