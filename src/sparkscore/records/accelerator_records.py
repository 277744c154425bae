"""How a runtime uses the processor or the accelerator that a task has, as the settings say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ProviderName = Literal["tensorrt", "cuda", "rocm", "migraphx", "openvino", "coreml", "cpu"]

PROVIDER_CLASSES: Mapping[str, str] = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""onnxruntime's execution providers, by the names that they have in settings."""


@dataclass(frozen=True, slots=True)
class AcceleratorOptions:
    """What a runtime is asked for beyond the model."""

    providers: tuple[ProviderName, ...] = ()
    """onnxruntime's, in order of preference; none: CUDA where the task has a GPU, else the CPU."""
    provider_fallback: bool = False
    """Whether the CPU takes the place of those that onnxruntime does not give."""
    autocast: Literal["bfloat16", "float16"] | None = None
    """The type in which PyTorch computes where it loses little; None: the module's own."""
    compile: bool = False
    """Whether PyTorch compiles the module."""

    @property
    def onnx_digest(self) -> list[str] | None:
        """What of it can change predictions of onnxruntime; None: as by default."""
        return [*self.providers, *(["fallback"] if self.provider_fallback else [])] if self.providers else None

    @property
    def torch_digest(self) -> Mapping[str, object] | None:
        """What of it can change predictions of PyTorch; None: as by default."""
        changed = {"autocast": self.autocast, "compile": self.compile or None}
        return {name: value for name, value in changed.items() if value is not None} or None


DEFAULT_ACCELERATOR = AcceleratorOptions()
"""What was never asked for."""
