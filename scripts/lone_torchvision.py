"""Import this before torchvision where that was built for another torch than the one installed, as PyPI's is beside a
torch for CPUs: it gives torch the two operators that torchvision then lacks, in name only. It does nothing elsewhere.
"""

import torch

try:
    import torchvision  # noqa: F401
except ImportError:
    pass
except RuntimeError:
    lib = torch.library.Library('torchvision', 'DEF')
    for o in 'nms', 'qnms':
        lib.define(f'{o}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
