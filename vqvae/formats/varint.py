"""Variable-length integers (LEB128): seven bits per byte, least significant first; the top bit marks continuation."""

from vqvae.errors import BitstreamError

LARGEST = 2**28 - 1  # what four bytes hold


def pack_size(size: int) -> bytes:
    """A number from 0 to `LARGEST`, in one to four bytes (LEB128)."""
    if not 0 <= size <= LARGEST:
        raise ValueError(f"{size} cannot be written: sizes are from 0 to {LARGEST}")
    packed = bytearray()
    while size >= 128:
        packed.append(size & 127 | 128)
        size >>= 7
    return bytes([*packed, size])


def unpack_size(data: bytes, position: int, least: int = 0) -> tuple[int, int]:
    """The number at a position, and the position after it.

    Raises:
        BitstreamError: it is missing, below `least`, or not in the shortest form.
    """
    size = shift = 0
    while position < len(data) and shift < 28:
        byte = data[position]
        position += 1
        size |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            if size < least or (byte == 0 and shift > 7):
                break
            return size, position
    raise BitstreamError("corrupt: there is no valid size where one should be")
