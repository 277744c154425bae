"""Converters that skl2onnx lacks: FunctionTransformer with numpy's own functions; LightGBM and XGBoost in pipelines."""

from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any

_ONNX_OPERATORS = {
    "absolute": ("Abs",),
    "ceil": ("Ceil",),
    "cos": ("Cos",),
    "exp": ("Exp",),
    "floor": ("Floor",),
    "log": ("Log",),
    "negative": ("Neg",),
    "reciprocal": ("Reciprocal",),
    "rint": ("Round",),
    "sign": ("Sign",),
    "sin": ("Sin",),
    "sqrt": ("Sqrt",),
    "tanh": ("Tanh",),
}
_SHIFTED = {"expm1": ("Exp", "Sub"), "log1p": ("Add", "Log")}


def list_function_operators(function: Any) -> Sequence[str] | None:
    """The operators of ONNX, one after the other, that are a function of numpy; None where there are none.

    `Add` and `Sub` are by one.
    """
    name = getattr(function, "__name__", "")
    return _ONNX_OPERATORS.get(name) or _SHIFTED.get(name)


def register_function_converters() -> None:
    """Let skl2onnx take them, once per process."""
    from skl2onnx import update_registered_converter
    from sklearn.preprocessing import FunctionTransformer

    update_registered_converter(
        FunctionTransformer, "SparkscoreFunctionTransformer", _calculate_function_shape, _convert_function
    )
    with suppress(ImportError):
        _register_lightgbm()
    with suppress(ImportError):
        _register_xgboost()


def _calculate_function_shape(operator: Any) -> None:
    function = operator.raw_operator.func
    name = getattr(function, "__name__", str(function))
    if function is not None and name not in (*_ONNX_OPERATORS, *_SHIFTED):
        raise RuntimeError(f"FunctionTransformer with the function {name}")
    width = [None, sum(one.type.shape[1] for one in operator.inputs)]
    if function is None:
        operator.outputs[0].type = deepcopy(operator.inputs[0].type)
        operator.outputs[0].type.shape = width
    else:
        operator.outputs[0].type = _computing_type(operator)(width)


def _computing_type(operator: Any) -> Any:
    """The type in which numpy's function computes: whole numbers become doubles."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return FloatTensorType if isinstance(operator.inputs[0].type, FloatTensorType) else DoubleTensorType


def _convert_function(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.common._apply_operation import apply_cast, apply_concat, apply_identity
    from skl2onnx.common.data_types import guess_proto_type

    value = operator.inputs[0].full_name
    if len(operator.inputs) > 1:
        value = scope.get_unique_variable_name("side_by_side")
        apply_concat(scope, [one.full_name for one in operator.inputs], value, container, axis=1)
    function = operator.raw_operator.func
    if function is not None:
        numbers = scope.get_unique_variable_name("numbers")
        apply_cast(scope, value, numbers, container, to=guess_proto_type(operator.outputs[0].type))
        value = numbers
    for step in () if function is None else _ONNX_OPERATORS.get(function.__name__) or _SHIFTED[function.__name__]:
        result, inputs = scope.get_unique_variable_name("step"), [value]
        if step in ("Add", "Sub"):
            inputs.append(_add_one(scope, operator, container))
        container.add_node(step, inputs, result, name=scope.get_unique_operator_name(step))
        value = result
    apply_identity(scope, value, operator.outputs[0].full_name, container)


def _add_one(scope: Any, operator: Any, container: Any) -> str:
    from skl2onnx.common.data_types import guess_proto_type

    name: str = scope.get_unique_variable_name("one")
    container.add_initializer(name, guess_proto_type(operator.outputs[0].type), [1], [1.0])
    return name


def _register_lightgbm() -> None:
    from lightgbm import LGBMClassifier, LGBMRegressor
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"], "split": None}
    update_registered_converter(
        LGBMClassifier,
        "LightGbmLGBMClassifier",
        calculate_linear_classifier_output_shapes,
        convert_lightgbm,
        options=options,
    )
    update_registered_converter(
        LGBMRegressor,
        "LightGbmLGBMRegressor",
        calculate_linear_regressor_output_shapes,
        convert_lightgbm,
        options={"split": None},
    )


def _register_xgboost() -> None:
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )
    from xgboost import XGBClassifier, XGBRegressor

    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    update_registered_converter(
        XGBClassifier,
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        convert_xgboost,
        options=options,
    )
    update_registered_converter(
        XGBRegressor, "XGBoostXGBRegressor", calculate_linear_regressor_output_shapes, convert_xgboost
    )
