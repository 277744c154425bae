"""What MLflow's flavour for ONNX does when it loads a model: which files, options and libraries it uses. Light."""

from collections.abc import Iterator, Mapping
from typing import Any

from sparkscore.errors import TrustRefused
from sparkscore.model.trust.inspected_model import Finding, InspectedModel
from sparkscore.model.trust.onnx_references import refuse_outside_weights

_SAFE_SESSION_KEYS = frozenset(
    {
        "mlas.disable_kleidiai",
        "optimization.constant_folding_max_output_size_in_bytes",
        "optimization.disable_specified_optimizers",
        "optimization.enable_cast_chain_elimination",
        "optimization.enable_gelu_approximation",
        "optimization.minimal_build_optimizations",
        "session.allow_released_opsets_only",
        "session.disable_aot_function_inlining",
        "session.disable_cpu_ep_fallback",
        "session.disable_double_qdq_remover",
        "session.disable_prepacking",
        "session.disable_qdq_constant_folding",
        "session.disable_quant_qdq",
        "session.dynamic_block_base",
        "session.enable_quant_qdq_cleanup",
        "session.force_spinning_stop",
        "session.graph_optimizations_loop_level",
        "session.inter_op.allow_spinning",
        "session.intra_op.allow_spinning",
        "session.qdq_matmulnbits_accuracy_level",
        "session.set_denormal_as_zero",
        "session.strict_shape_type_inference",
        "session.use_deterministic_compute",
        "session.use_device_allocator_for_initializers",
        "session.use_env_allocators",
    }
)
"""Options of onnxruntime that choose how it computes. Others read or write files, or take memory for a file."""
_SESSION_OPTIONS = frozenset(
    {
        "execution_mode",
        "extra_session_config",
        "graph_optimization_level",
        "inter_op_num_threads",
        "intra_op_num_threads",
    }
)
_PROVIDERS = frozenset({"CPUExecutionProvider", "CUDAExecutionProvider", "ROCMExecutionProvider"})
"""Providers whose options name no library and no file."""


def find_onnx_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    """Nothing: what the flavour is found to do beside computing is refused.

    Raises:  TrustRefused for options that do more than choose how it computes, and for weights outside the folder.
    """
    options = flavor.get("onnx_session_options") or {}
    if not isinstance(options, Mapping) or not isinstance(options.get("extra_session_config") or {}, Mapping):
        raise _option_error("onnx_session_options that are no mapping")
    named = {*options} - _SESSION_OPTIONS | {*(options.get("extra_session_config") or {})} - _SAFE_SESSION_KEYS
    if named:
        raise _option_error(f"the session option {', '.join(sorted(map(str, named)))}")
    for provider in flavor.get("providers") or ():
        if isinstance(provider, list | tuple) and len(provider) > 1 and provider[1] and provider[0] not in _PROVIDERS:
            raise _option_error(f"options of {provider[0]}")
    path = model.flavors.get("python_function", {}).get("data") or flavor.get("data")
    graphs = {file.name for file in model.files if file.format == "onnx"}  # whose weights are looked at in any case
    for one in {path, flavor.get("data")} - {None} - graphs:
        if isinstance(one, str) and (model.folder / one).is_file():
            refuse_outside_weights(model.folder / one, model.folder)
    yield from ()


def _option_error(found: str) -> TrustRefused:
    return TrustRefused(
        f"the model's MLmodel file sets {found} of onnxruntime",
        f"options that choose how it computes: {', '.join(sorted(_SESSION_OPTIONS))}, and the like",
        "log the model without it: such options can read or write files, or load libraries",
    )
