"""The bat network's layers: what kinetics/motion/bat_network.py reads crops with and kinetics/bat_training trains."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

#: Planes of a crop that go in (bat_crops.PLANES), and maps that come out: toe, grip, blade.
INPUTS, MAPS = 8, 3


def build_module() -> Any:
    """The network with fresh weights, a torch module: (N, 8, 128, 128) 0-255 -> maps (N, 3, 64, 64) and "no toe" (N, 1), logits.

    A U-Net of plain convolutions, 1.3 million weights. It works on the colours and on how the greys differ from the frame.
    """
    import torch
    from torch.nn import BatchNorm2d, Conv2d, Linear, Module, ModuleList, ReLU, Sequential
    from torch.nn.functional import interpolate

    def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> Sequential:
        return Sequential(Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), BatchNorm2d(outputs), ReLU(inplace=True))

    class Residual(Module):
        def __init__(self, width: int):
            super().__init__()
            self.first = conv(width, width)
            self.second = Sequential(Conv2d(width, width, 3, 1, 1, bias=False), BatchNorm2d(width))

        def forward(self, x):
            return torch.relu(x + self.second(self.first(x)))

    class Network(Module):
        widths = (16, 32, 64, 112, 160)

        def __init__(self):
            super().__init__()
            w = self.widths
            self.stem = conv(INPUTS, w[0], 5, 2)
            self.down = ModuleList(Sequential(conv(a, b, 3, 2), Residual(b)) for a, b in pairwise(w))
            self.join = ModuleList(conv(a + b, a, 1) for a, b in pairwise(w))
            self.up = ModuleList((conv(w[0], w[0]), Residual(w[1]), Residual(w[2]), conv(w[3], w[3])))
            self.maps = Conv2d(w[0], MAPS, 3, 1, 1)
            self.none = Linear(w[3] + w[4], 1)

        def forward(self, planes):
            x = planes.float() / 255
            grey = x[:, :3].mean(dim=1, keepdim=True)
            x = torch.cat([x[:, :3] - 0.5, (x[:, 3:5] - grey) * 2, x[:, 5:]], dim=1).contiguous(memory_format=torch.channels_last)
            levels = [self.stem(x)]
            for down in self.down:
                levels.append(down(levels[-1]))
            y = levels[-1]
            coarse = y
            for level in (3, 2, 1, 0):
                y = self.up[level](self.join[level](torch.cat([levels[level], interpolate(y, scale_factor=2.0)], dim=1)))
                if level == 3:
                    none = self.none(torch.cat([coarse.amax((2, 3)), y.mean((2, 3))], dim=1))
            return self.maps(y).float(), none.float()

    return Network().to(memory_format=torch.channels_last)
