"""Models of each library -> graphs that predict what the models do. The packages that convert are real."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from sparkscore.demo.recipe import INPUTS, delay_pipeline
from sparkscore.errors import ModelError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.records import ModelInput

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("skl2onnx", reason="the extra optimize is not installed")

from sparkscore.model.optimise.graph_attempts import ConvertedModel, convert_model, run_graph  # noqa: E402
from sparkscore.model.optimise.model_parents import ModelParent  # noqa: E402
from sparkscore.model.optimise.reduced_graphs import NotApplicableError, reduce_graph  # noqa: E402

DRAW = np.random.default_rng(0)
ROWS = 600
NUMBERS = pd.DataFrame(DRAW.normal(size=(ROWS, 4)), columns=list("abcd"))
GAPS = NUMBERS.mask(DRAW.random(NUMBERS.shape) < 0.1)
TRUTH = (NUMBERS["a"] * NUMBERS["b"] + NUMBERS["c"] > 0).astype(int)
MIXED = NUMBERS[["a", "b"]].assign(
    city=DRAW.choice(np.array(["Bonn", "Köln", "", None], dtype=object), ROWS),
    count=DRAW.integers(0, 9, ROWS),
    gap=GAPS["c"],
)
_TYPES = {"f": pa.float64(), "i": pa.int64(), "O": pa.string()}


def shipped(frame: pd.DataFrame, output: pa.DataType, *, named: bool = True) -> ShippedModel:
    kinds = [_TYPES[kind.kind] for kind in frame.dtypes]
    inputs = [ModelInput(str(name) if named else None, kind, True) for name, kind in zip(frame, kinds, strict=True)]
    return ShippedModel("", "", "sklearn", tuple(inputs), not named, output)


def converted(
    estimator: Any, frame: pd.DataFrame, predicted: Any, *, library: str = "scikit-learn", named: bool = True
) -> tuple[ConvertedModel, Any]:
    """The graph, and what it gives for the frame."""
    expected = pa.array(list(predicted) if np.ndim(predicted) == 2 else predicted)
    model = shipped(frame, expected.type, named=named)
    given = [pa.array(frame[name], from_pandas=True) for name in frame]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = convert_model(ModelParent(library, estimator), model, given, expected, output="prediction")
    return found, run_graph(found.graph, model, given)["prediction"]


def encoders() -> Any:
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city", "count"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["gap", "a"]),
        ("passthrough", ["b"]),
    )


class TestLookUps:
    """Pipelines that are sums of functions of single columns."""

    def test_the_model_of_the_flights_is_one(self) -> None:
        flights = pd.DataFrame(
            {
                name: DRAW.choice(["AA", "UA", "WN"], 3000)
                if kind == "string"
                else DRAW.integers(1, 8, 3000)
                if kind == "long"
                else np.where(DRAW.random(3000) < 0.05, np.nan, DRAW.normal(size=3000).round(1))
                for name, kind in INPUTS.items()
            }
        )
        model = delay_pipeline().fit(flights, DRAW.integers(0, 2, 3000))
        found, given = converted(model, flights, model.predict_proba(flights))
        assert found.way == "look-ups"
        np.testing.assert_allclose(given, model.predict_proba(flights), rtol=0, atol=1e-13)

    def test_text_missing_values_and_numbers_give_the_same_probabilities(self) -> None:
        model = make_pipeline(encoders(), LogisticRegression()).fit(MIXED, TRUTH)
        found, given = converted(model, MIXED, model.predict_proba(MIXED))
        assert found.way == "look-ups"
        np.testing.assert_allclose(given, model.predict_proba(MIXED), rtol=0, atol=1e-13)

    def test_values_that_training_never_saw_are_treated_as_by_the_encoder(self) -> None:
        model = make_pipeline(encoders(), LogisticRegression()).fit(MIXED, TRUTH)
        found, _ = converted(model, MIXED, model.predict_proba(MIXED))
        strange = MIXED.head(3).assign(city="Ulm", count=77, gap=1e300)
        given = run_graph(
            found.graph,
            shipped(strange, pa.list_(pa.float64())),
            [pa.array(strange[name], from_pandas=True) for name in strange],
        )
        np.testing.assert_allclose(given["prediction"], model.predict_proba(strange), rtol=0, atol=1e-13)

    def test_labels_that_are_text_are_given_as_text(self) -> None:
        labels = np.where(MIXED["city"] == "Bonn", "north", np.where(MIXED["a"] > 0, "east", "west"))
        model = make_pipeline(encoders(), LogisticRegression()).fit(MIXED, labels)
        found, given = converted(model, MIXED, model.predict(MIXED))
        assert found.way == "look-ups"
        assert given.tolist() == model.predict(MIXED).tolist()

    def test_a_regression_is_one_number(self) -> None:
        model = make_pipeline(encoders(), Ridge()).fit(MIXED, MIXED["a"] * 2)
        _, given = converted(model, MIXED, model.predict(MIXED))
        np.testing.assert_allclose(given.reshape(-1), model.predict(MIXED), rtol=0, atol=1e-12)


class TestTrees:
    """Boosted trees in double precision."""

    def test_a_histogram_boosting_keeps_missing_values_and_every_threshold(self) -> None:
        model = HistGradientBoostingClassifier(max_iter=20).fit(GAPS, TRUTH)
        found, given = converted(model, GAPS, model.predict_proba(GAPS))
        assert found.way == "trees"
        np.testing.assert_allclose(given, model.predict_proba(GAPS), rtol=0, atol=1e-13)

    def test_many_trees_are_cut_into_nodes_that_add_up(self) -> None:
        classes = np.digitize(NUMBERS["a"], [-0.5, 0.5])
        model = HistGradientBoostingClassifier(max_iter=15).fit(GAPS, classes)
        found, given = converted(model, GAPS, model.predict_proba(GAPS))
        nodes = [one.op_type for one in found.graph.graph.node]
        assert nodes.count("TreeEnsemble") > 2
        np.testing.assert_allclose(given, model.predict_proba(GAPS), rtol=0, atol=1e-13)

    def test_a_matrix_without_names_is_taken_too(self) -> None:
        model = HistGradientBoostingRegressor(max_iter=5).fit(GAPS.to_numpy(), NUMBERS["d"])
        found, given = converted(model, GAPS, model.predict(GAPS.to_numpy()), named=False)
        assert [one.name for one in found.graph.graph.input] == ["features"]
        np.testing.assert_allclose(given.reshape(-1), model.predict(GAPS.to_numpy()), rtol=0, atol=1e-12)

    def test_lightgbms_probabilities_and_labels_are_the_same(self) -> None:
        lightgbm = pytest.importorskip("lightgbm")
        model = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1).fit(GAPS, TRUTH)
        found, labels = converted(model, GAPS, model.predict(GAPS), library="LightGBM")
        assert (found.way, labels.tolist()) == ("trees", model.predict(GAPS).tolist())
        _, given = converted(model.booster_, GAPS, model.booster_.predict(GAPS), library="LightGBM")
        np.testing.assert_allclose(given, model.booster_.predict(GAPS), rtol=0, atol=1e-13)

    def test_xgboost_and_catboost_are_converted_in_floats(self) -> None:
        xgboost, catboost = pytest.importorskip("xgboost"), pytest.importorskip("catboost")
        first = xgboost.XGBClassifier(n_estimators=10, n_jobs=1).fit(GAPS, TRUTH)
        _, given = converted(first, GAPS, first.predict_proba(GAPS), library="XGBoost")
        np.testing.assert_allclose(given, first.predict_proba(GAPS), rtol=0, atol=1e-5)
        second = catboost.CatBoostClassifier(iterations=10, verbose=0, allow_writing_files=False, thread_count=1)
        second.fit(GAPS, TRUTH)
        _, given = converted(second, GAPS, second.predict_proba(GAPS), library="CatBoost")
        np.testing.assert_allclose(given, second.predict_proba(GAPS), rtol=0, atol=1e-5)


class TestEncodedColumns:
    """Columns that are encoded each by itself, before whatever model."""

    @pytest.mark.parametrize("library", ["sklearn", "lightgbm"])
    def test_text_and_missing_values_before_trees(self, library: str) -> None:
        encoded = make_column_transformer(
            (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]),
            (FunctionTransformer(np.log1p), ["count"]),
            (SimpleImputer(), ["gap", "a"]),
        )
        trees: Any = HistGradientBoostingClassifier(max_iter=10)
        if library == "lightgbm":
            trees = pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1)
        model = make_pipeline(encoded, trees).fit(MIXED, TRUTH)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = model.predict_proba(MIXED)
        found, given = converted(model, MIXED, expected)
        assert found.way == "encoded columns"
        np.testing.assert_allclose(given, expected, rtol=0, atol=1e-12)

    def test_one_hot_columns_before_a_forest(self) -> None:
        model = make_pipeline(encoders(), RandomForestClassifier(5, max_depth=4, random_state=0)).fit(MIXED, TRUTH)
        found, given = converted(model, MIXED, model.predict_proba(MIXED))
        assert found.way == "encoded columns"
        np.testing.assert_allclose(given, model.predict_proba(MIXED), rtol=0, atol=1e-6)


class TestBySkl2onnx:
    """Whatever that package takes."""

    def test_a_forest(self) -> None:
        model = RandomForestClassifier(5, max_depth=4, random_state=0).fit(NUMBERS, np.where(TRUTH, "late", "early"))
        _, given = converted(model, NUMBERS, model.predict(NUMBERS))
        assert given.tolist() == model.predict(NUMBERS).tolist()

    def test_a_step_without_an_operator_is_named(self) -> None:
        frame = NUMBERS.head(10)
        broken = make_pipeline(FunctionTransformer(own_function), LogisticRegression()).fit(frame, TRUTH.head(10))
        with pytest.raises(ModelError, match="FunctionTransformer with the function own_function"):
            converted(broken, frame, broken.predict(frame))


def own_function(rows: Any) -> Any:
    """What no converter can read."""
    return rows * 2


@pytest.fixture(scope="module")
def perceptron() -> tuple[Any, pd.DataFrame, ConvertedModel, Any]:
    """A module of PyTorch of which 12 of 48 hidden units never fire, its inputs and its graph."""
    torch = pytest.importorskip("torch", reason="the extra gpu is not installed")
    torch.manual_seed(0)
    layers = torch.nn
    module = layers.Sequential(layers.Linear(4, 48), layers.ReLU(), layers.Linear(48, 1), layers.Sigmoid())
    with torch.no_grad():
        module[0].bias[:12] = -100
        expected = module(torch.from_numpy(NUMBERS.to_numpy(np.float32))).numpy()
    found, given = converted(module.eval(), NUMBERS, expected, library="PyTorch")
    return module, NUMBERS, found, given


def feeds(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): frame[name].to_numpy() for name in frame}]


class TestReductions:
    """Smaller graphs of a graph."""

    def test_doubles_are_rounded_inside_of_the_graph(self, perceptron: Any) -> None:
        _, frame, found, given = perceptron
        assert [one.type.tensor_type.elem_type for one in found.graph.graph.input] == [11] * len(frame.columns)
        assert given.shape == (ROWS, 1)

    @pytest.mark.parametrize(
        ("name", "far"),
        [
            ("onnx", 0.0),
            ("onnx-optimized", 1e-6),
            ("onnx-int8", 0.05),
            ("onnx-static-int8", 0.05),
            ("onnx-float16", 0.01),
        ],
    )
    def test_it_stays_near_the_graph(self, perceptron: Any, name: str, far: float) -> None:
        _, frame, found, given = perceptron
        reduced = reduce_graph(name, found.graph, feeds(frame))
        again = outputs(reduced, frame)
        assert np.abs(again - given).max() <= far

    def test_units_that_never_fire_are_removed_and_nothing_changes(self, perceptron: Any) -> None:
        _, frame, found, given = perceptron
        pruned = reduce_graph("pruned", found.graph, feeds(frame))
        assert sorted(len(one.dims) and one.dims[0] for one in pruned.graph.initializer).count(36) == 2
        np.testing.assert_allclose(outputs(pruned, frame), given, rtol=0, atol=1e-6)

    def test_a_module_that_was_exported_before_is_taken(self, perceptron: Any) -> None:
        torch = pytest.importorskip("torch", reason="the extra gpu is not installed")
        module, frame, _, given = perceptron
        rows = ({0: torch.export.Dim("rows")},)
        exported = torch.export.export(module, (torch.zeros(2, 4),), dynamic_shapes=rows).module()
        found, again = converted(exported, frame, given, library="PyTorch")
        assert found.difference < 1e-6
        assert again.shape == given.shape

    def test_one_column_of_arrays_is_a_matrix_too(self, perceptron: Any) -> None:
        module, frame, _, given = perceptron
        arrays = pa.array(frame.to_numpy(np.float32).tolist(), pa.list_(pa.float32()))
        model = ShippedModel(
            *("", "", "torch", (ModelInput(None, arrays.type, True, (4,)),)), True, pa.list_(pa.float32())
        )
        expected = pa.array(given.tolist(), model.output)
        found = convert_model(ModelParent("PyTorch", module), model, [arrays], expected, output="prediction")
        assert found.difference < 1e-6

    def test_an_operator_that_onnx_lacks_is_named(self) -> None:
        torch = pytest.importorskip("torch", reason="the extra gpu is not installed")

        class Bessel(torch.nn.Module):  # type: ignore[misc, name-defined]  # of a package without types here
            def forward(self, rows: Any) -> Any:
                return torch.special.bessel_j0(rows).sum(1)

        with pytest.raises(ModelError, match="special_bessel_j0"):
            converted(Bessel(), NUMBERS, np.zeros(ROWS, np.float32), library="PyTorch")

    def test_a_graph_without_matrices_has_nothing_to_reduce(self) -> None:
        model = HistGradientBoostingRegressor(max_iter=2).fit(NUMBERS, NUMBERS["d"])
        found, _ = converted(model, NUMBERS, model.predict(NUMBERS))
        with pytest.raises(NotApplicableError, match="no matrix of floats"):
            reduce_graph("onnx-int8", found.graph, [])


def outputs(graph: Any, frame: pd.DataFrame) -> Any:
    model = shipped(frame, pa.list_(pa.float32()))
    return run_graph(graph, model, [pa.array(frame[name]) for name in frame])["prediction"]
