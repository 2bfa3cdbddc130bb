"""Writes an ONNX graph node by node; every value has a name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto
else:
    ModelProto: TypeAlias = Any

__all__ = ["FLOAT", "INT64", "UINT8", "Writer"]

#: Of ONNX, and of its file format: the first that has all that is used here, so that most runtimes read it.
_OPSET, _FORMAT = 18, 8
#: ONNX's numbers for kinds of values.
FLOAT, INT64, UINT8 = 1, 7, 2


class Writer:
    """Gathers the nodes of one graph; every value has a name."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, kind: int, shape: Sequence[int | str]) -> str:
        """What the graph is given; names in its shape are left open."""
        from onnx import helper

        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, shape: Sequence[int | str]) -> None:
        """What the graph gives besides its answer."""
        from onnx import helper

        self._outputs.append(helper.make_tensor_value_info(name, FLOAT, shape))

    def answer(self, name: str, shape: Sequence[int | str]) -> None:
        """What is asked of the graph: its first output."""
        from onnx import helper

        self.add("Identity", name, as_name="logits")
        self._outputs.insert(0, helper.make_tensor_value_info("logits", FLOAT, shape))

    def add(self, kind: str, *inputs: str, as_name: str | None = None, **attributes: Any) -> str:
        """A node of that kind."""
        from onnx import helper

        name = as_name or f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, array: np.ndarray) -> str:
        """An array that is part of the graph."""
        from onnx import numpy_helper

        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def number(self, value: float) -> str:
        """A float32 number."""
        return self.constant(np.array(value, np.float32))

    def numbers(self, values: Sequence[int]) -> str:
        """Whole numbers, such as sizes and axes."""
        return self.constant(np.array(values, np.int64))

    def slice(
        self,
        x: str,
        starts: list[int],
        stops: list[int],
        axes: list[int],
        steps: list[int] | None = None,
        as_name: str | None = None,
    ) -> str:
        """From start to stop, on each of these axes."""
        where = [starts, stops, axes, *([steps] if steps else [])]
        return self.add("Slice", x, *map(self.numbers, where), as_name=as_name)

    def latest(self, x: str, n_frames: int, as_name: str) -> str:
        """The last frames of a run."""
        return self.slice(x, [-n_frames], [2**31], [2], as_name=as_name)

    def model(self) -> ModelProto:
        """All that was gathered."""
        from onnx import helper

        graph = helper.make_graph(self._nodes, "sonoplane", self._inputs, self._outputs, self._constants)
        return helper.make_model(
            graph,
            producer_name="sonoplane",
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_FORMAT,
        )
