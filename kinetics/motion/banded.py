"""Symmetric banded equations by blocks: solution, the band of the inverse, and draws, in time and memory that grow with the length."""

from __future__ import annotations

import numpy as np


class BlockTridiagonal:
    """A positive definite banded matrix A, held as a block tridiagonal one.

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
    A = L Lᵀ with blocks L_k on and F_k = A_{k+1,k} L_k⁻ᵀ below the diagonal. The inverse follows backwards
    (Takahashi's recursion; Rue and Martino 2007, doi:10.1016/j.jspi.2006.07.016): with G = F_k L_k⁻¹,
    Σ_{k+1,k} = −Σ_{k+1,k+1} G and Σ_{k,k} = L_k⁻ᵀL_k⁻¹ + Gᵀ Σ_{k+1,k+1} G.
    """

    def __init__(self, bands: np.ndarray) -> None:
        width, self.n = bands.shape[0] - 1, bands.shape[1]
        self.width, b = width, max(width, 8)
        self.block, count = b, -(-self.n // b)
        padded = np.zeros((width + 1, count * b + width))
        padded[:, : self.n] = bands
        padded[0, self.n :] = 1.0
        diagonal, below = np.zeros((count, b, b)), np.zeros((count, b, b))
        column = np.arange(count * b)
        for j in range(width + 1):
            row = column % b + j
            inside = row < b
            values = padded[j, : count * b]
            diagonal[column[inside] // b, row[inside], column[inside] % b] = values[inside]
            diagonal[column[inside] // b, column[inside] % b, row[inside]] = values[inside]
            below[column[~inside] // b, row[~inside] - b, column[~inside] % b] = values[~inside]
        self.inverse = np.empty_like(diagonal)  # L_k⁻¹
        self.below = np.empty_like(diagonal)  # F_k
        log_det, left = 0.0, np.zeros((b, b))
        for k in range(count):
            lower = np.linalg.cholesky(diagonal[k] - left)
            log_det += np.log(np.diagonal(lower)).sum()
            self.inverse[k] = np.linalg.inv(lower)
            self.below[k] = below[k] @ self.inverse[k].T
            left = self.below[k] @ self.below[k].T
        self.log_det = 2 * float(log_det)
        self._inverse_bands: np.ndarray | None = None

    def _split(self, y: np.ndarray) -> np.ndarray:
        count, b = len(self.inverse), self.block
        padded = np.zeros((count * b, y.shape[1]))
        padded[: self.n] = y
        return padded.reshape(count, b, -1)

    def _backward(self, y: np.ndarray) -> np.ndarray:
        """L⁻ᵀ y for blocks y (count, b, k), in place."""
        y[-1] = self.inverse[-1].T @ y[-1]
        for k in range(len(y) - 2, -1, -1):
            y[k] = self.inverse[k].T @ (y[k] - self.below[k].T @ y[k + 1])
        return y.reshape(-1, y.shape[2])[: self.n]

    def solve(self, y: np.ndarray) -> np.ndarray:
        """A⁻¹ y for y (n, k)."""
        y = self._split(y)
        y[0] = self.inverse[0] @ y[0]
        for k in range(1, len(y)):
            y[k] = self.inverse[k] @ (y[k] - self.below[k - 1] @ y[k - 1])
        return self._backward(y)

    def sample(self, noise: np.ndarray) -> np.ndarray:
        """Turn standard normal (n, k) into draws from N(0, A⁻¹)."""
        return self._backward(self._split(noise))

    def inverse_bands(self) -> np.ndarray:
        """(width + 1, n): the band of A⁻¹, as ``bands``."""
        if self._inverse_bands is not None:
            return self._inverse_bands
        count, b = len(self.inverse), self.block
        G = self.below @ self.inverse
        own = np.swapaxes(self.inverse, 1, 2) @ self.inverse
        full = np.zeros((count, 2 * b, b))  # Σ_{k,k} over Σ_{k+1,k}
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
