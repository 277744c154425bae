"""What MLflow's flavours for transformers do when they load a model: what they fetch and whose code they run. Light."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sparkscore.errors import TrustRefused
from sparkscore.model.trust.flavor_paths import is_outside_path
from sparkscore.model.trust.inspected_model import Finding, InspectedModel, check_named_module, read_model_json


def find_transformers_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    """What the flavour fetches.

    Raises:  TrustRefused for folders that are not the model's.
    """
    if flavor.get("local_base_model_path"):
        raise TrustRefused(
            "the model's weights lie in a folder outside of it (transformers.local_base_model_path)",
            "a model whose files are all inside its folder",
            "log it without base_model_path",
        )
    if "source_model_revision" in flavor:
        yield from _find_fetched_parts(flavor)
    components = flavor.get("components") or ()
    unsafe = [one for one in components if not isinstance(one, str) or "/" in one or is_outside_path(one)]
    if unsafe:
        raise TrustRefused(
            f"transformers.components of the MLmodel file has {unsafe[0]!s:.100}",
            "names of components: tokenizer, feature_extractor, image_processor, processor",
            "log the model again",
        )


def _find_fetched_parts(flavor: Mapping[str, Any]) -> Iterator[Finding]:
    sources = [value for key, value in flavor.items() if str(key).endswith("_name") and isinstance(value, str)]
    for source in sources:
        if is_outside_path(source):
            raise TrustRefused(
                f"transformers would load {source:.100}, which is no part of the model",
                "a model whose files are all inside its folder",
                "log it with save_pretrained=True",
            )
    yield Finding("downloads", f"transformers fetches {flavor.get('source_model_name')!s:.100} from a hub")


def find_sentence_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    """Nothing: modules of other packages than its own are refused.

    Raises:  TrustRefused.
    """
    for file in model.find_files("modules.json"):
        content = read_model_json(model, file)
        for module in content if isinstance(content, list) else ():
            if isinstance(module, Mapping):
                check_named_module(model, module.get("type"), file.name, ("sentence_transformers",))
                if is_outside_path(str(module.get("path") or "")):
                    raise TrustRefused(
                        f"{file.name} points outside the model's folder", "paths inside it", "log the model again"
                    )
    yield from ()


def find_remote_code(model: InspectedModel) -> Iterator[Finding]:
    """Files of transformers that name classes of their own: code in the folder, or on a hub."""
    for file in model.files:
        if file.name.endswith("config.json"):
            content = read_model_json(model, file)
            mapped = content.get("auto_map") if isinstance(content, Mapping) else None
            if mapped:
                yield Finding("code", f"{file.name} names classes that it brings (auto_map)")
                if "--" in json.dumps(mapped):
                    yield Finding("downloads", f"{file.name} names code on a hub (auto_map)")
