"""Which models may share a process: a model that may bring code shares its process with no other.

Python has one table of modules per process, one environment, one of everything that is global. A second model with a
module of the same name would run the first one's, and what the first has set would steer the second.
"""

import sys
from collections.abc import Collection, Iterator, Mapping
from importlib.machinery import all_suffixes
from pathlib import Path
from types import ModuleType
from typing import Any

from sparkscore.errors import ModelError
from sparkscore.model.distribution.shipped_model import OnnxFile, ShippedModel, SklearnFile

_Tenant = tuple[str, str, str] | None
"""Digest, runtime, params and configuration of a model that is alone here; None: models that can share."""

_tenants: list[_Tenant] = []
"""What this process has loaded, or tried to: imported code stays, even without its model. One at most.
"""


def can_share_process(model: ShippedModel) -> bool:
    """Whether the model certainly brings no code, and nothing that outlives it in the process.

    A graph is data for our own onnxruntime session; of the author's session options some are set for the whole process
    (denormals), so a model with any is alone. skops loads types of known libraries alone, unless the author names more.
    Pickles run code, and so does what PyTorch exports: `torch.export.load` unpickles what it cannot read otherwise.
    """
    file = model.file
    if isinstance(file, OnnxFile):
        return not file.config
    return isinstance(file, SklearnFile) and file.format == "skops" and not file.trusted


def can_load_here(model: ShippedModel) -> bool:
    """Whether this process may load the model: it has loaded nothing yet, or this very model, or both can share.

    `sensitive`, `batch_timeout` and the GPU make no other model: the code is the same.

    Runs on: executor.
    """
    if not _tenants:
        return not find_imported_modules(model.code)
    return _tenants == [_identify_tenant(model)]


def record_tenant(model: ShippedModel) -> None:
    """Remember that this process loads the model. To be called before it does.

    Needs:   a model for which `can_load_here` is true.
    """
    _tenants[:] = [_identify_tenant(model)]


def list_model_modules(mlmodel: Mapping[str, Any], folder: str | Path) -> tuple[str, ...]:
    """Names of modules and packages that a model brings in folders that MLflow puts on the import path (`code_paths`).

    Of a folder without `__init__` the modules in it: Python merges such folders of one name.
    """
    flavors = [flavor for flavor in mlmodel["flavors"].values() if isinstance(flavor, dict)]
    roots = {flavor["code"] for flavor in flavors if isinstance(flavor.get("code"), str)}
    return tuple(sorted({name for root in roots for name in _list_modules(Path(folder, root), "")}))


def find_imported_modules(names: Collection[str], *, outside: str | Path | None = None) -> list[str]:
    """Those of the modules that this process has imported; with `outside`, not from that folder."""
    imported = {name: sys.modules[name] for name in names if name in sys.modules}
    return [name for name, module in imported.items() if outside is None or not _is_module_from(module, outside)]


def refuse_imported_modules(names: Collection[str], folder: str | Path) -> None:
    """Refuse a model whose own modules Python would not import, as it has others of these names already.

    Needs:   the names of the modules that the model in `folder` brings; nothing of it is imported yet.
    Raises:  ModelError.
    """
    if imported := find_imported_modules(names, outside=folder):
        raise ModelError(
            f"the model brings {_format_modules(imported)} in its code_paths, and Python has imported "
            f"{'another module' if len(imported) == 1 else 'other modules'} of that name before it",
            "modules with names of their own: otherwise the model runs other code than it was logged with",
            "rename it in the model's code, or leave it out of code_paths if the installed module is meant, "
            "and log the model again",
        )


def _identify_tenant(model: ShippedModel) -> _Tenant:
    """Params as text: 1, 1.0 and True differ."""
    settings = repr((model.params, model.config, model.files, model.environment))
    return None if can_share_process(model) else (model.digest, model.runtime, settings)


def _list_modules(folder: Path, prefix: str) -> Iterator[str]:
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        name = _module_name(entry.name) if entry.is_file() else entry.name
        if not name.isidentifier() or name in {"__init__", "__main__", "__pycache__"}:
            continue
        if entry.is_file() or any((entry / f"__init__{suffix}").is_file() for suffix in all_suffixes()):
            yield prefix + name
        else:
            yield from _list_modules(entry, f"{prefix}{name}.")


def _module_name(file: str) -> str:
    """A module's name by its file's; nothing for other files."""
    endings = sorted((suffix for suffix in all_suffixes() if file.endswith(suffix)), key=len)
    return file.removesuffix(endings[-1]) if endings else ""


def _is_module_from(module: ModuleType, folder: str | Path) -> bool:
    paths = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(path is not None and Path(path).is_relative_to(folder) for path in paths)


def _format_modules(names: Collection[str]) -> str:
    return f"the module {next(iter(names))}" if len(names) == 1 else f"the modules {', '.join(names)}"
