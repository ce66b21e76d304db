"""ONNX graphs whose matrix products are done in whole numbers of 8 bits."""

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

from ml_orchestrator.errors import InvalidInputError

__all__ = ["quantised"]

NOTHING = (
    "The model has no matrix products, only trees or sums of single columns, so there is nothing "
    "to quantise. Use prune, or distil into a neural net first."
)


def quantised(content: bytes) -> bytes:
    """Return the file with the weights of its matrix products in 8 bits.

    Activations are quantised as rows come (dynamically). Weights use 7 of the 8 bits, because
    sums of products of full ones overflow on processors without the instructions for them.

    Args:
        content: an ONNX file whose matrix products are of 32 bits (``export_onnx``, single).

    Raises:
        InvalidInputError: it has no matrix products.
    """
    model = onnx.load_model_from_string(content)
    constants = {each.name: each for each in model.graph.initializer}
    products = [n for n in model.graph.node if n.op_type == "MatMul" and n.input[1] in constants]
    if not products:
        raise InvalidInputError(NOTHING)
    with tempfile.TemporaryDirectory() as name:
        ready, target = Path(name, "ready.onnx"), Path(name, "quantised.onnx")
        quant_pre_process(model, ready, skip_optimization=True, skip_symbolic_shape=True)
        quantize_dynamic(
            ready, target, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
        )
        return target.read_bytes()
