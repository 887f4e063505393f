"""``python -m kinetics.bat_training --out FILE --minutes M``: train the bat network on drawn batters."""

from __future__ import annotations

import argparse
import sys

from ..errors import KineticsError
from .train import read_photos, train


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m kinetics.bat_training", description="Train the bat network on drawn batters.")
    parser.add_argument("--out", required=True, help="the safetensors file to write, every few minutes and at the end")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--resume", help="weights to begin from")
    parser.add_argument("--photos", help="a folder of pictures whose textures backdrops may borrow")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--rate", type=float, default=2.5e-3, help="learning rate at its height")
    parser.add_argument("--export-every", type=float, default=8.0, help="minutes between files")
    given = parser.parse_args()
    try:
        train(
            given.out, given.minutes, given.seed, device=given.device, resume=given.resume, photos=read_photos(given.photos),
            workers=given.workers, rate=given.rate, export_every=given.export_every,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )  # fmt: skip
    except KineticsError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
