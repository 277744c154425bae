"""Saves a network that takes images as an MLflow model that takes their files. Runs on the driver."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

from sparkscore.errors import ConfigError
from sparkscore.workloads.images.image_decoding import MAX_PIXELS, MOST_PIXELS, DecodingOptions
from sparkscore.workloads.images.image_networks import ONNX_FILE
from sparkscore.workloads.images.image_options import (
    ACTIVATIONS,
    OUTPUTS,
    SOURCES,
    Activation,
    ImageModelOptions,
    Output,
    Source,
    write_image_options,
)
from sparkscore.workloads.images.image_preparation import FILTERS, FITS, Fit, PreparationOptions
from sparkscore.workloads.images.network_export import NetworkRuntime, write_network

_LOADER = "sparkscore.workloads.images.image_model"
_BATCH_WINDOWS = 16
"""So many windows are a batch: between two batches nothing is decoded ahead."""


class ImageOptions(TypedDict, total=False):
    """The options of `log_image_model`, which says what they mean."""

    size: int | tuple[int, int]
    fit: Fit
    resize_to: int | None
    interpolation: str
    mean: Sequence[float]
    std: Sequence[float]
    channels_first: bool
    background: tuple[int, int, int]
    output: Output
    labels: Sequence[str] | None
    activation: Activation
    top_k: int
    min_score: float
    source: Source
    shrink_on_load: bool
    max_pixels: int
    window: int
    runtime: NetworkRuntime


class _SavedImageModel(NamedTuple):
    """What `mlflow.pyfunc` saves."""

    data: Path
    signature: Any
    requirements: Sequence[str]
    metadata: Mapping[str, Any]


def save_image_model(path: str | Path, model: Any, **options: Unpack[ImageOptions]) -> None:
    """Save a network as an MLflow model in a new folder. Options: those of `log_image_model`.

    Raises:  as `log_image_model`.
    """
    import mlflow

    with _make_image_model(model, **options) as made:
        mlflow.pyfunc.save_model(
            str(path),
            loader_module=_LOADER,
            data_path=str(made.data),
            signature=made.signature,
            pip_requirements=list(made.requirements),
            metadata=dict(made.metadata),
        )


def log_image_model(
    name: str, model: Any, *, registered_model_name: str | None = None, **options: Unpack[ImageOptions]
) -> Any:
    """Log a network as an MLflow model whose input is a file's content (binary), or its path (string).

    `model`: a `torch.nn.Module`, or the path of a file `.onnx` or `.pt2`. Options:
    `size`: what it takes, pixels: `224`, or `(width, height)`. `fit`: how an image of another shape gets there: `crop`
    (shorter side to `resize_to`, by default 8/7 of the size, then the middle), `stretch`, `pad`. `interpolation`:
    nearest, bilinear, bicubic, lanczos. `mean`, `std`: per channel, of values from 0 to 1; one number each: the network
    takes grey images. `channels_first`. `background`: the colour behind transparent pixels.
    `output`: `label` (string), `top_k` (array of label and probability, `top_k` of them), `probabilities` and
    `embedding` (arrays of floats), `boxes` (array of label, score, left, top, right, bottom in pixels of the file; the
    network gives three arrays: boxes (n, m, 4), scores (n, m), classes (n, m); `min_score`, `top_k`).
    `labels`: the names of the classes. `activation`: softmax, sigmoid or none, what makes probabilities of the output.
    `source`: `bytes`, or `path`: below the folder that the settings name, `model.files`.
    `shrink_on_load`: decode JPEGs much larger than `size` at a half, a quarter or an eighth: a third of the time,
    and now and then another label.
    `max_pixels`: larger images are rejected. `window`: images per call of the network. `runtime`: onnx or torch.

    Returns: MLflow's ModelInfo.
    Jobs:    none.
    Raises:  ConfigError for options that do not fit; ModelError for a module that cannot be exported.
    """
    import mlflow

    with _make_image_model(model, **options) as made:
        return mlflow.pyfunc.log_model(
            name=name,
            loader_module=_LOADER,
            data_path=str(made.data),
            signature=made.signature,
            registered_model_name=registered_model_name,
            pip_requirements=list(made.requirements),
            metadata=dict(made.metadata),
        )


@contextmanager
def _make_image_model(  # noqa: PLR0913 - what the public functions take
    model: Any,
    *,
    size: int | tuple[int, int] = 224,
    fit: Fit = "crop",
    resize_to: int | None = None,
    interpolation: str = "bicubic",
    mean: Sequence[float] = (0.485, 0.456, 0.406),
    std: Sequence[float] = (0.229, 0.224, 0.225),
    channels_first: bool = True,
    background: tuple[int, int, int] = (255, 255, 255),
    output: Output = "label",
    labels: Sequence[str] | None = None,
    activation: Activation = "softmax",
    top_k: int = 5,
    min_score: float = 0.5,
    source: Source = "bytes",
    shrink_on_load: bool = False,
    max_pixels: int = MAX_PIXELS,
    window: int = 16,
    runtime: NetworkRuntime = "onnx",
) -> Iterator[_SavedImageModel]:
    """A folder with the network and what is beside it, as long as the block lasts."""
    width, height = (size, size) if isinstance(size, int) else size
    preparation = PreparationOptions(
        width=width,
        height=height,
        fit=fit,
        resize_to=resize_to or round(max(width, height) * 8 / 7),
        interpolation=interpolation,
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        channels_first=channels_first,
    )
    options = ImageModelOptions(
        DecodingOptions(max_pixels, len(preparation.mean) == 1, background, shrink_on_load),
        preparation,
        output=output,
        source=source,
        labels=None if labels is None else tuple(map(str, labels)),
        activation=activation,
        top_k=top_k,
        min_score=min_score,
        window=window,
    )
    _check_image_options(options, runtime)
    with tempfile.TemporaryDirectory(prefix="sparkscore-images-") as folder:
        data = Path(folder, "image_model")
        data.mkdir()
        write_network(data, model, preparation.shape, runtime)
        write_image_options(data, options)
        own: dict[str, Any] = {"batch_rows": window * _BATCH_WINDOWS}
        if source == "path":
            own["reads_files"] = True
        yield _SavedImageModel(data, _make_image_signature(options), _list_requirements(data), {"sparkscore": own})


def _check_image_options(options: ImageModelOptions, runtime: str) -> None:
    known = {
        "output": (options.output, OUTPUTS),
        "source": (options.source, SOURCES),
        "activation": (options.activation, ACTIVATIONS),
        "fit": (options.preparation.fit, FITS),
        "interpolation": (options.preparation.interpolation, tuple(FILTERS)),
        "runtime": (runtime, ("onnx", "torch")),
    }
    for name, (value, allowed) in known.items():
        if value not in allowed:
            raise ConfigError(f"{name} {value!r} of an image model", f"one of {', '.join(allowed)}", "correct it")
    preparation, decoding = options.preparation, options.decoding
    wrong = [
        text
        for text, holds in (
            ("size below 1", min(preparation.width, preparation.height) >= 1),
            ("resize_to below the size", preparation.resize_to >= max(preparation.width, preparation.height)),
            ("mean and std of another length than 1 or 3", len(preparation.mean) in (1, 3)),
            ("mean and std of two lengths", len(preparation.mean) == len(preparation.std)),
            ("a std that is not above 0", min(preparation.std, default=0) > 0),
            (f"max_pixels above {MOST_PIXELS:,}, or below 1", 1 <= decoding.max_pixels <= MOST_PIXELS),
            ("window or top_k below 1", min(options.window, options.top_k) >= 1),
        )
        if not holds
    ]
    if wrong:
        raise ConfigError(f"an image model with {'; '.join(wrong)}", "options that fit one another", "correct them")


def _make_image_signature(options: ImageModelOptions) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, Object, Property

    ranked = [Property("label", DataType.string), Property("probability", DataType.double)]
    sides = [Property(name, DataType.double) for name in ("score", "left", "top", "right", "bottom")]
    kinds: Mapping[Output, Any] = {
        "label": DataType.string,
        "top_k": Array(Object(ranked)),
        "probabilities": Array(DataType.float),
        "embedding": Array(DataType.float),
        "boxes": Array(Object([Property("label", DataType.string), *sides])),
    }
    given = ColSpec(DataType.binary, "content") if options.source == "bytes" else ColSpec(DataType.string, "path")
    given = ColSpec(given.type, given.name, required=False)  # a row without an image is a reject
    return ModelSignature(Schema([given]), Schema([ColSpec(kinds[options.output])]))


def _list_requirements(data: Path) -> list[str]:
    """The packages that predict, as they are here."""
    runtimes = ("onnxruntime", "onnxruntime-gpu") if (data / ONNX_FILE).is_file() else ("torch",)
    found = [f"{name}=={known}" for name in ("numpy", "pillow", *runtimes) if (known := _find_package_version(name))]
    return found if any(one.startswith(runtimes) for one in found) else [*found, runtimes[0]]


def _find_package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
