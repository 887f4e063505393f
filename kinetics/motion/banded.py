"""Symmetric banded equations by blocks: solution, the band of the inverse, and draws, in time and memory that grow with the length."""

from __future__ import annotations

import numpy as np


class Banded:
    """A positive definite banded matrix A.

    Parameters
    ----------
    bands : (width + 1, n) float64
        [j, i] = A[i + j, i]; entries past the end are 0.

    Raises
    ------
    numpy.linalg.LinAlgError
        When A is not positive definite.

    Notes
    -----
    A = L L^T by LAPACK; for the inverse L is cut into blocks, L_k on and F_k below its diagonal. The inverse follows backwards
    (Takahashi's recursion; Rue and Martino 2007, doi:10.1016/j.jspi.2006.07.016): with G = F_k L_k^-1,
    S_{k+1,k} = -S_{k+1,k+1} G and S_{k,k} = L_k^-TL_k^-1 + G^T S_{k+1,k+1} G.
    """

    def __init__(self, bands: np.ndarray) -> None:
        from scipy.linalg import cholesky_banded

        self.width, self.n = bands.shape[0] - 1, bands.shape[1]
        self._lower = cholesky_banded(bands, lower=True, check_finite=False)
        self.log_det = 2 * float(np.log(self._lower[0]).sum())
        self._inverse_bands: np.ndarray | None = None

    def solve(self, y: np.ndarray) -> np.ndarray:
        """A^-1 y for y (n, k)."""
        from scipy.linalg import cho_solve_banded

        return cho_solve_banded((self._lower, True), y, check_finite=False)

    def sample(self, noise: np.ndarray) -> np.ndarray:
        """Turn standard normal (n, k) into draws from N(0, A^-1): L^-T times them."""
        from scipy.linalg import solve_banded

        upper = np.zeros_like(self._lower)
        for j in range(min(self.width + 1, self.n)):
            upper[self.width - j, j:] = self._lower[j, : self.n - j]
        return solve_banded((0, self.width), upper, noise, check_finite=False)

    def _blocks(self) -> tuple[np.ndarray, np.ndarray]:
        """L_k and F_k (count, b, b), the last block filled up with ones."""
        b = max(self.width, 8)
        count = -(-self.n // b)
        padded = np.zeros((self.width + 1, count * b))
        padded[:, : self.n] = self._lower
        padded[0, self.n :] = 1.0
        diagonal, below = np.zeros((count, b, b)), np.zeros((count, b, b))
        column = np.arange(count * b)
        for j in range(self.width + 1):
            row = column % b + j
            inside = row < b
            diagonal[column[inside] // b, row[inside], column[inside] % b] = padded[j, inside]
            below[column[~inside] // b, row[~inside] - b, column[~inside] % b] = padded[j, ~inside]
        return diagonal, below

    def inverse_bands(self) -> np.ndarray:
        """(width + 1, n): the band of A^-1, as ``bands``."""
        if self._inverse_bands is not None:
            return self._inverse_bands
        diagonal, below = self._blocks()
        count, b = diagonal.shape[:2]
        inverse = np.linalg.inv(diagonal)
        G = below @ inverse
        own = np.swapaxes(inverse, 1, 2) @ inverse
        full = np.zeros((count, 2 * b, b))  # S_{k,k} over S_{k+1,k}
        full[-1, :b] = own[-1]
        for k in range(count - 2, -1, -1):
            full[k, b:] = -full[k + 1, :b] @ G[k]
            full[k, :b] = own[k] - G[k].T @ full[k, b:]
        column = np.arange(self.n)
        out = np.stack([full[column // b, column % b + j, column % b] for j in range(self.width + 1)])
        for j in range(1, self.width + 1):
            out[j, self.n - j :] = 0.0
        self._inverse_bands = out
        return out
