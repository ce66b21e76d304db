"""Three ways to make a PyTorch network smaller, each with its size and its error.

Replace ``network`` and ``rows``; keep the comparison. The error is the largest difference to the
original's answers; judge the held-out score too.
"""

import copy
import io
import logging
from pathlib import Path

import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from torch.nn.utils import prune
from torchao.quantization import Int8WeightOnlyConfig, quantize_

log = logging.getLogger(__name__)


def weights_in_int8(network: nn.Module) -> nn.Module:
    """Return a copy whose linear layers keep their weights in 8 bits."""
    small = copy.deepcopy(network)
    quantize_(small, Int8WeightOnlyConfig())
    return small


def half_pruned(network: nn.Module) -> nn.Module:
    """Return a copy in which the smaller half of each linear layer's weights is zero.

    Zeros make nothing faster by themselves: it takes a sparse kernel or a smaller layer. Fine-tune
    afterwards.
    """
    sparse = copy.deepcopy(network)
    for layer in sparse.modules():
        if isinstance(layer, nn.Linear):
            prune.l1_unstructured(layer, "weight", amount=0.5)
            prune.remove(layer, "weight")
    return sparse


def onnx_in_int8(network: nn.Module, rows: torch.Tensor, folder: Path) -> Path:
    """Return an ONNX file of the network with its weights in 8 bits; any number of rows."""
    whole, prepared, small = (folder / f"{name}.onnx" for name in ("whole", "prepared", "int8"))
    shapes = ({0: torch.export.Dim("rows")},)
    torch.onnx.export(network, (rows,), whole, input_names=["rows"], dynamic_shapes=shapes)
    quant_pre_process(str(whole), str(prepared))
    quantize_dynamic(str(prepared), str(small), weight_type=QuantType.QInt8)
    return small


def size_bytes(network: nn.Module) -> int:
    """Return how large the saved weights are."""
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    return buffer.getbuffer().nbytes


def main() -> None:
    """Shrink a made-up network and report."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10)).eval()
    rows = torch.randn(256, 64)
    answers = network(rows).detach()
    log.info("original: %d bytes", size_bytes(network))
    for name, small in (("int8", weights_in_int8(network)), ("pruned", half_pruned(network))):
        error = (small(rows) - answers).abs().max().item()
        log.info("%s: %d bytes, largest error %.4f", name, size_bytes(small), error)
    path = onnx_in_int8(network, rows, Path())
    (given,) = onnxruntime.InferenceSession(path).run(None, {"rows": rows.numpy()})
    error = abs(given - answers.numpy()).max()
    log.info("onnx int8: %d bytes, largest error %.4f", path.stat().st_size, error)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
