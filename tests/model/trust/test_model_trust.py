"""Hostile models, each judged by its files. Whatever they would run or read leaves a sentinel, which no test finds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkscore.errors import ModelError, SignatureError, TrustRefused
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.model.trust.model_trust import (
    check_model_digest,
    check_model_origin,
    check_training_table,
    judge_model,
)
from sparkscore.model.trust.signature_limits import check_signature_limits
from sparkscore.records import WARNING_POLICY, TrustPolicy
from sparkscore.settings import TrustSettings
from tests.model.trust.hostile import SKLEARN, harmful_pickle, mlmodel, write_model, write_skops

STRICT = TrustSettings(profile="strict", names=("*",), registries=("*",)).to_policy()
PYTHON_MODEL = {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}


def judged(folder: Path, trust: TrustPolicy = WARNING_POLICY) -> str:
    """What a model that may be loaded is warned of."""
    return "\n".join(judge_model(folder, trust, read_mlmodel(folder, trust)))


@pytest.fixture
def sentinel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that a model's code and pickles make, and modules on Python's path do when they are imported."""
    made = tmp_path / "sentinel"
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "evil.py").write_text(f"from pathlib import Path\nPath({str(made)!r}).touch()\n")
    monkeypatch.syspath_prepend(modules)
    yield made
    assert not made.exists()


class TestModelsOfDataAlone:
    def test_are_loaded_without_a_word(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", mlmodel(), requirements__txt="numpy==2.0\n", conda__yaml="a: b\n")
        write_skops(folder / "model.skops")
        assert judged(folder) == ""
        assert judged(folder, STRICT) == ""

    def test_graphs_with_weights_beside_them_are_some(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx")
        folder = write_model(tmp_path / "model", onnx_mlmodel())
        write_graph(onnx, folder, "model.onnx.data")
        (folder / "model.onnx.data").write_bytes(b"\x8f\xff" * 100)
        assert judged(folder, STRICT) == ""


class TestPickles:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("sklearn", mlmodel(sklearn={**SKLEARN, "serialization_format": "cloudpickle"})),
            ("sklearn of old", mlmodel(sklearn={"pickled_model": "model.skops"})),
            ("pyfunc", mlmodel(PYTHON_MODEL)),
            ("statsmodels", mlmodel({"loader_module": "mlflow.statsmodels"}, statsmodels={})),
            ("pmdarima", mlmodel({"loader_module": "mlflow.pmdarima"}, pmdarima={})),
            ("paddle", mlmodel({"loader_module": "mlflow.paddle"}, paddle={})),
            ("pytorch", mlmodel({"loader_module": "mlflow.pytorch"}, pytorch={})),
            ("lightgbm", mlmodel({"loader_module": "mlflow.lightgbm"}, lightgbm={"model_class": "lightgbm.LGBMModel"})),
            ("in disguise", mlmodel()),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_are_warned_of_and_refused_where_the_settings_say_so(
        self, tmp_path: Path, sentinel: Path, name: str, content: Any
    ) -> None:
        data = harmful_pickle(sentinel)
        folder = write_model(tmp_path / "model", content, model__skops=data, python_model__pkl=data)
        assert "pickles are in model.skops, python_model.pkl" in judged(folder)
        assert judged(folder, TrustPolicy(pickle="allow")) == ""
        with pytest.raises(TrustRefused, match="a pickle when it is loaded"):
            judged(folder, TrustPolicy(pickle="refuse"))
        with pytest.raises(TrustRefused):
            judged(folder, STRICT)

    def test_are_known_by_the_flavour_where_the_content_says_nothing(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", mlmodel(PYTHON_MODEL), python_model__pkl=b"\x00")
        with pytest.raises(TrustRefused, match=r"python_model\.pkl is unpickled"):
            judged(folder, TrustPolicy(pickle="refuse"))

    def test_custom_objects_of_keras_are_some(self, tmp_path: Path, sentinel: Path) -> None:
        content = mlmodel({"loader_module": "mlflow.tensorflow"}, tensorflow={})
        folder = write_model(tmp_path / "model", content, data___custom_objects__cloudpickle=harmful_pickle(sentinel))
        assert "custom_objects.cloudpickle" in judged(folder)

    def test_types_that_a_skops_file_builds_because_the_model_says_so_count_as_one(
        self, tmp_path: Path, sentinel: Path
    ) -> None:
        content = mlmodel(sklearn={**SKLEARN, "skops_trusted_types": ["evil.Type"]})
        folder = write_model(tmp_path / "model", content)
        write_skops(folder / "model.skops")
        assert "types that it names itself: evil.Type" in judged(folder)
        with pytest.raises(TrustRefused, match=r"evil\.Type"):
            judged(folder, TrustPolicy(pickle="refuse"))

    def test_a_module_that_unpickles_is_mlflows_or_listed(self, tmp_path: Path, sentinel: Path) -> None:
        content = mlmodel({"loader_module": "mlflow.pytorch", "data": "data"}, pytorch={"model_data": "data"})
        folder = write_model(tmp_path / "model", content, data___pickle_module_info__txt="evil")
        with pytest.raises(TrustRefused, match=r"pickle_module_info\.txt of the model names the module 'evil'"):
            judged(folder)
        (folder / "data" / "pickle_module_info.txt").write_text("mlflow.pytorch.pickle_module")
        assert "evil" not in judged(folder)


class TestModulesThatTheAuthorNames:
    @pytest.mark.parametrize(
        "content",
        [
            mlmodel({"loader_module": "evil"}),
            mlmodel({"loader_module": "mlflow.xgboost"}, xgboost={"model_class": "evil.Type", "data": "m"}),
            mlmodel({"loader_module": "mlflow.tensorflow"}, tensorflow={"keras_module": "evil"}),
            mlmodel({"loader_module": "mlflow.pytorch"}, pytorch={"pickle_module_name": "evil"}),
            mlmodel({"loader_module": "mlflow.sentence_transformers"}, sentence_transformers={}),
            mlmodel({"loader_module": "mlflow.keras.load"}, keras={}),
        ],
    )
    def test_are_not_imported(self, tmp_path: Path, sentinel: Path, content: Any) -> None:
        modules = json.dumps([{"type": "evil.Type", "path": ""}])
        folder = write_model(tmp_path / "model", content, data___keras_module__txt="evil", x___modules__json=modules)
        with pytest.raises(TrustRefused, match="evil"):
            judged(folder)

    def test_are_allowed_where_the_operator_lists_them(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", mlmodel({"loader_module": "my.loader"}))
        write_skops(folder / "model.skops")
        assert judged(folder, TrustPolicy(loaders=("my.loader",))) == ""

    def test_a_list_of_loaders_excludes_the_others_of_mlflow(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", mlmodel())
        with pytest.raises(TrustRefused, match=r"which model\.trust does not allow"):
            judged(folder, TrustPolicy(loaders=("mlflow.onnx",)))


class TestCode:
    @pytest.mark.parametrize(
        "content",
        [
            mlmodel({"code": "code"}),
            mlmodel(sklearn={**SKLEARN, "code": "code"}),
            mlmodel({**PYTHON_MODEL, "model_code_path": "/home/author/model.py"}),
            mlmodel({"loader_module": "mlflow.tensorflow"}, tensorflow={"saved_model_dir": "m", "meta_graph_tags": []}),
            mlmodel({"loader_module": "mlflow.keras.load"}, keras={"save_exported_model": True}),
        ],
    )
    def test_that_the_mlmodel_file_names_is_warned_of_and_refused(self, tmp_path: Path, content: Any) -> None:
        folder = write_model(tmp_path / "model", content)
        assert "the model runs code that it brings" in judged(folder, TrustPolicy(pickle="allow"))
        with pytest.raises(TrustRefused, match="runs code"):
            judged(folder, TrustPolicy(pickle="allow", code="refuse"))

    @pytest.mark.parametrize(
        "name", ["model__py", "code___pkg___x__py", "artifacts___sitecustomize__py", "x__so", "hook__pth"]
    )
    def test_that_only_lies_there_is_too(self, tmp_path: Path, sentinel: Path, name: str) -> None:
        folder = write_model(tmp_path / "model", mlmodel(), **{name: "import evil\n"})
        assert "code is in" in judged(folder)
        with pytest.raises(TrustRefused, match="runs code"):
            judged(folder, STRICT)

    def test_of_transformers_is_found_by_its_config(self, tmp_path: Path) -> None:
        config = json.dumps({"auto_map": {"AutoModel": "modeling.Own"}})
        remote = json.dumps({"auto_map": {"AutoModel": "evil/repo--modeling.Own"}})
        content = mlmodel({"loader_module": "mlflow.transformers"}, transformers={"model_binary": "model"})
        folder = write_model(tmp_path / "model", content, model___config__json=config, c___x_config__json=remote)
        text = judged(folder)
        assert "model/config.json names classes that it brings" in text
        assert "c/x_config.json names code on a hub" in text


class TestDownloads:
    def test_while_a_model_is_loaded_are_warned_of_and_refused(self, tmp_path: Path) -> None:
        flavor = {"source_model_name": "evil/model", "source_model_revision": "abc", "components": ["tokenizer"]}
        folder = write_model(tmp_path / "model", mlmodel({"loader_module": "mlflow.transformers"}, transformers=flavor))
        assert "transformers fetches evil/model from a hub" in judged(folder)
        with pytest.raises(TrustRefused, match="its digest does not cover"):
            judged(folder, TrustPolicy(downloads="refuse"))

    def test_of_a_folder_of_the_machine_are_refused(self, tmp_path: Path) -> None:
        flavor = {"source_model_name": "/etc", "source_model_revision": "abc"}
        folder = write_model(tmp_path / "model", mlmodel({"loader_module": "mlflow.transformers"}, transformers=flavor))
        with pytest.raises(TrustRefused, match="transformers would load /etc"):
            judged(folder)

    def test_the_folder_that_a_saved_model_once_came_from_is_no_matter(self, tmp_path: Path) -> None:
        flavor = {"source_model_name": "/home/author/checkpoint", "model_binary": "model"}
        folder = write_model(tmp_path / "model", mlmodel({"loader_module": "mlflow.transformers"}, transformers=flavor))
        assert judged(folder) == ""


OUTSIDE: dict[str, Any] = {
    "artifacts of pyfunc": mlmodel({"artifacts": {"a": {"path": "../../../../etc/passwd", "uri": "a"}}}),
    "absolute artifacts": mlmodel({"artifacts": {"a": {"path": "/etc/passwd", "uri": "a"}}}),
    "a list": mlmodel({"data": ["../outside"]}),
    "a list in a list": mlmodel(sklearn={**SKLEARN, "pickled_model": [["/etc/passwd"]]}),
    "components": mlmodel(transformers={"components": ["../../outside"]}),
    "peft": mlmodel(transformers={"peft_adaptor": "../../outside"}),
    "local base": mlmodel(transformers={"local_base_model_path": "/etc"}),
    "an unknown key": mlmodel(sklearn={"x": {"y": [{"z": "/etc/passwd"}]}}),
    "a scheme": mlmodel({"data": "file:///etc/passwd"}),
    "another scheme": mlmodel({"data": "s3://other/bucket"}),
    "a home": mlmodel({"code": "~/code"}),
    "Windows": mlmodel({"data": "C:\\Windows"}),
    "saved model": mlmodel(tensorflow={"saved_model_dir": "../../outside"}),
    "providers": mlmodel(onnx={"providers": [["CUDAExecutionProvider", {"x": "/var/cache"}]]}),
    "the example": {**mlmodel(), "saved_input_example_info": {"artifact_path": "../../etc/passwd", "type": "ndarray"}},
}


class TestPaths:
    @pytest.mark.parametrize(
        ("data", "where"), [("data", "data"), ("metadata", "metadata"), ("./metadata", "metadata")]
    )
    def test_a_second_mlmodel_file_that_a_loader_may_read_instead_is_refused(
        self, tmp_path: Path, data: str, where: str
    ) -> None:
        folder = write_model(tmp_path / "model", mlmodel({"data": data}))
        write_model(folder / where, mlmodel(sklearn={**SKLEARN, "code": "../../evil"}))
        with pytest.raises(TrustRefused, match=f"second MLmodel file, {where}/MLmodel"):
            judged(folder)

    def test_a_copy_that_databricks_keeps_is_not_read(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", mlmodel())
        write_model(folder / "metadata", mlmodel())
        assert judged(folder) == ""

    @pytest.mark.parametrize("where", OUTSIDE)
    def test_out_of_the_folder_are_refused_at_any_depth(self, tmp_path: Path, where: str) -> None:
        folder = write_model(tmp_path / "model", OUTSIDE[where])
        with pytest.raises(TrustRefused, match="outside the model's folder"):
            judged(folder)

    def test_that_nothing_reads_may_be_any(self, tmp_path: Path) -> None:
        pyfunc = {
            "artifacts": {"a": {"path": "artifacts/a", "uri": "/home/author/a"}},
            "config": {"endpoint": "https://example.org/", "folder": "/mnt/x"},
            "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        }
        files = {"extra_files": [{"path": "extra/a", "uri": "s3://b/a"}], "requirements_file": {"uri": "/home/r.txt"}}
        folder = write_model(tmp_path / "model", mlmodel(pyfunc, pytorch=files, sklearn=SKLEARN))
        assert "outside" not in judged(folder)


def onnx_mlmodel(**flavor: Any) -> dict[str, Any]:
    return mlmodel({"loader_module": "mlflow.onnx", "data": "model.onnx"}, onnx={"data": "model.onnx", **flavor})


def write_graph(onnx: Any, folder: Path, location: str) -> None:
    weights = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value=location)
    value = onnx.helper.make_tensor_value_info("x", 1, [None])
    graph = onnx.helper.make_graph([], "g", [value], [value], initializer=[weights])
    (folder / "model.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())


class TestOnnx:
    def test_weights_of_a_graph_stay_in_the_folder_where_onnx_is_not_installed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        onnx = pytest.importorskip("onnx")
        folder = write_model(tmp_path / "model", onnx_mlmodel())
        write_graph(onnx, folder, "../outside")
        (tmp_path / "outside").write_bytes(bytes(4))
        monkeypatch.setitem(__import__("sys").modules, "onnx", None)
        with pytest.raises(TrustRefused, match="weights outside"):
            judged(folder)
        with pytest.raises(TrustRefused, match="weights outside"):  # by its content, whatever the flavours say
            judge_model(folder, WARNING_POLICY, {"flavors": {}})

    def test_a_graph_in_another_format_is_refused(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", onnx_mlmodel(), model__onnx=b"\x1c\x00\x00\x00ORTM" + bytes(40))
        with pytest.raises(TrustRefused, match="is no ONNX graph"):
            judged(folder)

    @pytest.mark.parametrize(
        "options",
        [
            {"extra_session_config": {"session.optimized_model_external_initializers_file_name": "x"}},
            {"extra_session_config": {"session.model_external_initializers_file_folder_path": "x"}},
            {"extra_session_config": {"ep.context_file_path": "x"}},
            {"extra_session_config": {"session.load_model_format": "ORT"}},
            {"extra_session_config": {"unknown": "1"}},
            {"optimized_model_filepath": "x"},
            {"enable_profiling": True},
            ["a"],
            {"extra_session_config": "a"},
        ],
    )
    def test_session_options_that_do_more_than_choose_how_it_computes_are_refused(
        self, tmp_path: Path, options: Any
    ) -> None:
        folder = write_model(tmp_path / "model", onnx_mlmodel(onnx_session_options=options))
        with pytest.raises(TrustRefused, match="session"):
            judged(folder)

    def test_options_that_choose_how_it_computes_are_the_authors(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx")
        options = {
            "execution_mode": "sequential",
            "graph_optimization_level": 99,
            "intra_op_num_threads": 2,
            "extra_session_config": {"session.set_denormal_as_zero": "1", "session.intra_op.allow_spinning": "0"},
        }
        providers = ["CPUExecutionProvider", ["CUDAExecutionProvider", {"device_id": 0}]]
        folder = write_model(tmp_path / "model", onnx_mlmodel(onnx_session_options=options, providers=providers))
        write_graph(onnx, folder, "w")
        (folder / "w").write_bytes(bytes(4))
        assert judged(folder) == ""

    def test_a_provider_that_loads_a_library_is_refused(self, tmp_path: Path) -> None:
        providers = [["QNNExecutionProvider", {"backend_path": "libevil.so"}]]
        folder = write_model(tmp_path / "model", onnx_mlmodel(providers=providers))
        with pytest.raises(TrustRefused, match="options of QNNExecutionProvider"):
            judged(folder)


class TestSignatures:
    @pytest.mark.parametrize("side", ["inputs", "outputs"])
    @pytest.mark.parametrize(
        "text",
        [
            json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 10**10]}}]),
            json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, *[1] * 5000]}}]),
            json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, *[1000] * 5]}}]),
            '[{"type": "array", "items": ' * 5000 + '{"type": "double"}' + "}" * 5000 + "]",
            "[" * 100_000,
            json.dumps([{"type": "double", "name": f"c{index}"} for index in range(100_001)]),
        ],
        ids=["wide", "deep tensor", "many values", "nested arrays", "brackets", "many columns"],
    )
    def test_that_would_exhaust_the_process_are_refused(self, side: str, text: str) -> None:
        with pytest.raises(SignatureError, match="the model's signature has"):
            check_signature_limits({"signature": {side: text}})

    def test_are_looked_at_with_the_mlmodel_file(self, tmp_path: Path) -> None:
        tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 10**10]}}
        folder = write_model(tmp_path / "model", {**mlmodel(), "signature": {"inputs": json.dumps([tensor])}})
        with pytest.raises(SignatureError, match=r"a tensor of 2 dimensions \(-1, 10000000000\) in inputs"):
            read_mlmodel(folder)

    def test_of_pictures_and_of_braces_in_text_are_read(self, tmp_path: Path) -> None:
        text = json.dumps(
            [
                {"name": "[" * 200, "type": "double"},
                {"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 3, 2160, 3840]}},
            ]
        )
        write_model(tmp_path / "model", {**mlmodel(), "signature": {"inputs": text, "outputs": text, "params": None}})
        read_mlmodel(tmp_path / "model")


class TestOrigin:
    def test_of_a_registry_that_is_not_listed_is_refused(self) -> None:
        trust = TrustPolicy(registries=("https://mlflow.example.org*", "databricks*"))
        check_model_origin(trust, name="m", uris=("https://user:word@mlflow.example.org/api", "databricks-uc"))
        with pytest.raises(TrustRefused, match=r"registry is sqlite:///home/mlflow\.db") as caught:
            check_model_origin(trust, name="m", uris=("databricks", "sqlite:///home/mlflow.db"))
        assert "model.trust.registries" in caught.value.do

    def test_a_host_in_the_user_info_does_not_help(self) -> None:
        trust = TrustPolicy(registries=("https://mlflow.example.org*",))
        with pytest.raises(TrustRefused):
            check_model_origin(trust, name="m", uris=("https://mlflow.example.org@evil.example.com",))

    def test_of_a_name_that_is_not_listed_is_refused(self) -> None:
        trust = TrustPolicy(names=("prod.models.*", "flights"))
        check_model_origin(trust, name="prod.models.late", uris=("x",))
        for name in ("flights2", "dev.models.late", "Flights"):
            with pytest.raises(TrustRefused, match="the model's name is"):
                check_model_origin(trust, name=name, uris=("x",))

    def test_with_another_digest_is_refused(self) -> None:
        check_model_digest(TrustPolicy(digests=("a" * 64,)), "a" * 64)
        check_model_digest(WARNING_POLICY, "b" * 64)
        with pytest.raises(TrustRefused, match="b" * 64):
            check_model_digest(TrustPolicy(digests=("a" * 64,)), "b" * 64)

    def test_a_strict_profile_takes_no_model_that_it_does_not_list(self) -> None:
        with pytest.raises(TrustRefused, match="none is listed"):
            check_model_origin(TrustSettings(profile="strict").to_policy(), name="m", uris=("x",))

    def test_a_listed_digest_stands_for_an_origin(self) -> None:
        trust = TrustSettings(profile="strict", digest=("a" * 64,)).to_policy()
        check_model_origin(trust, name="m", uris=("x",))


class TestTrainingTables:
    def test_that_the_author_names_are_warned_of_by_default(self) -> None:
        assert "the author of the model named" in str(check_training_table(WARNING_POLICY, "hr.salaries"))

    def test_are_read_only_where_they_are_listed(self) -> None:
        trust = TrustPolicy(tables=("ml.training.*",))
        assert check_training_table(trust, "ml.training.flights") is None
        with pytest.raises(TrustRefused, match=r"hr\.salaries as its training data"):
            check_training_table(trust, "hr.salaries")


class TestFormats:
    def test_that_are_not_listed_are_refused(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", mlmodel(), weights__bin=bytes(range(128, 256)))
        write_skops(folder / "model.skops")
        with pytest.raises(TrustRefused, match=r"weights\.bin \(unknown\)"):
            judged(folder, STRICT)
        with pytest.raises(TrustRefused, match=r"model\.skops \(skops\)"):
            judged(folder, TrustPolicy(formats=("onnx", "unknown")))

    def test_that_are_listed_need_not_name_what_mlflow_adds(self, tmp_path: Path) -> None:
        folder = write_model(tmp_path / "model", mlmodel(), input_example__json="{}", python_env__yaml="a: b")
        write_skops(folder / "model.skops")
        assert judged(folder, TrustPolicy(formats=("skops",))) == ""

    def test_a_strict_profile_that_allows_pickles_takes_them(self, tmp_path: Path, sentinel: Path) -> None:
        trust = TrustSettings(profile="strict", names=("*",), registries=("*",), pickle="allow").to_policy()
        folder = write_model(tmp_path / "model", mlmodel(PYTHON_MODEL), python_model__pkl=harmful_pickle(sentinel))
        assert judged(folder, trust) == ""
        (folder / "a.py").touch()
        with pytest.raises(TrustRefused, match="runs code"):
            judged(folder, trust)


def test_a_warning_says_how_to_allow_and_how_to_refuse(tmp_path: Path, sentinel: Path) -> None:
    folder = write_model(tmp_path / "model", mlmodel(), model__skops=harmful_pickle(sentinel))
    (text,) = judge_model(folder, WARNING_POLICY, read_mlmodel(folder))
    assert "set model.trust.pickle to allow" in text
    assert "skops or ONNX" in text


@pytest.mark.parametrize(
    "content",
    [
        mlmodel({"data": ["model.onnx"]}, onnx={"data": {"a": 1}}),
        mlmodel(transformers={"components": 5}),
        mlmodel(onnx={"providers": 7}),
        mlmodel(onnx={"providers": [[["a"], {"b": 1}]]}),
    ],
)
def test_values_of_types_that_mlflow_does_not_write_are_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(TrustRefused):
        judged(write_model(tmp_path / "model", content))


def test_a_huge_mlmodel_file_is_not_read(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", "")
    with (folder / "MLmodel").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match=r"has 1,099,511,627,776 bytes"):
        read_mlmodel(folder)


def test_requirements_are_never_installed_or_opened(tmp_path: Path, sentinel: Path) -> None:
    folder = write_model(
        tmp_path / "model",
        mlmodel(),
        requirements__txt=f"--index-url http://evil\n-r /etc/passwd\nevil @ file://{sentinel}\n",
        python_env__yaml=yaml.safe_dump({"dependencies": ["-r requirements.txt"]}),
    )
    write_skops(folder / "model.skops")
    assert judged(folder) == ""
