"""Bounds on what is read: checked from the first bytes, before anything is decoded or allocated."""

from pydantic import BaseModel, ConfigDict

from domain.errors import ImageTooLarge, ImageTooSmall


class Limits(BaseModel):
    """The largest upload, the largest and the smallest image."""

    model_config = ConfigDict(frozen=True)

    max_bytes: int = 64 * 2**20
    max_pixels: int = 36_000_000  # 6000 × 6000; the finest radiographs in use have about 30 million
    min_side_px: int = 32

    def check_bytes(self, length: int) -> None:
        """Raises ImageTooLarge for more bytes than allowed."""
        if length > self.max_bytes:
            raise ImageTooLarge(f"{length} bytes exceed the limit of {self.max_bytes}.", next_step="Send less.")

    def check_size(self, *, rows: int, columns: int) -> None:
        """Raises ImageTooLarge or ImageTooSmall for a declared size outside the bounds."""
        if rows * columns > self.max_pixels:
            raise ImageTooLarge(
                f"{rows} × {columns} pixels exceed the limit of {self.max_pixels}.", next_step="Send a smaller image."
            )
        if min(rows, columns) < self.min_side_px:
            raise ImageTooSmall(
                f"{rows} × {columns} pixels are fewer than a radiograph has.",
                next_step=f"Send at least {self.min_side_px} × {self.min_side_px} pixels.",
            )
