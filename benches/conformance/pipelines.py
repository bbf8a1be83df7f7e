"""What pipelines of scikit-learn, LightGBM and XGBoost export: set up, proved, verified, compared.

    cargo build --release --bin zkinfer
    python benches/conformance/pipelines.py [--only NAME] [--program FILE]

Needs scikit-learn (1.9), skl2onnx (1.20), lightgbm (4.7), xgboost (3.2), onnxmltools (1.16) and
onnxruntime (1.32). Each model is trained on data that scikit-learn holds, exported by its converter,
and calibrated with 60 samples; the first of 12 others is proved and verified, and all of them are
compared with onnxruntime. The error is the largest of any output, as a share of its largest value.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time
import warnings

import numpy
import onnxruntime
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier, AdaBoostRegressor, BaggingClassifier, ExtraTreesClassifier,
    GradientBoostingClassifier, GradientBoostingRegressor, IsolationForest, RandomForestClassifier,
    RandomForestRegressor, StackingClassifier, VotingClassifier)
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge, ElasticNet, GammaRegressor, HuberRegressor, Lasso, LinearRegression,
    LogisticRegression, PoissonRegressor, Ridge, RidgeClassifier, SGDClassifier, TweedieRegressor)
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder,
    PolynomialFeatures, PowerTransformer, RobustScaler, StandardScaler)
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "target/release/zkinfer"
SETS = {"": 18, "ai.onnx.ml": 3}
ORDER = numpy.random.RandomState(0)


def shuffled(loader):
    x, y = loader(return_X_y=True)
    order = ORDER.permutation(len(x))
    return x[order].astype("f4"), y[order]


WINE, CANCER, DIABETES = map(shuffled, (load_wine, load_breast_cancer, load_diabetes))
CLASSIFIERS = [
    LogisticRegression(max_iter=3000), RidgeClassifier(), SGDClassifier(loss="log_loss"),
    SVC(), NuSVC(nu=.3), DecisionTreeClassifier(max_depth=6), RandomForestClassifier(25, max_depth=6),
    ExtraTreesClassifier(20, max_depth=6), GradientBoostingClassifier(n_estimators=20),
    AdaBoostClassifier(n_estimators=10), BaggingClassifier(n_estimators=5), KNeighborsClassifier(3),
    GaussianNB(), BernoulliNB(), MLPClassifier((16, 8), max_iter=500), LinearDiscriminantAnalysis(),
    QuadraticDiscriminantAnalysis(), CalibratedClassifierCV(LinearSVC(), cv=3), KMeans(3),
    GaussianMixture(3),
    StackingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier(max_depth=3))]),
    VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft",
                     flatten_transform=False),
]
REGRESSORS = [
    LinearRegression(), Ridge(), Lasso(.01), ElasticNet(.01), HuberRegressor(), BayesianRidge(),
    PoissonRegressor(), GammaRegressor(), TweedieRegressor(), SVR(), DecisionTreeRegressor(max_depth=5),
    RandomForestRegressor(20, max_depth=5), GradientBoostingRegressor(n_estimators=20),
    AdaBoostRegressor(n_estimators=5), KNeighborsRegressor(3), MLPRegressor(hidden_layer_sizes=(16,), max_iter=800),
    GaussianProcessRegressor(),
]
TRANSFORMS = [
    MinMaxScaler(), MaxAbsScaler(), RobustScaler(), Normalizer(), Binarizer(threshold=1.0),
    KBinsDiscretizer(4, encode="onehot-dense"), KBinsDiscretizer(4, encode="ordinal"),
    PowerTransformer(), PCA(5), SelectKBest(k=5),
]


def by_sklearn(model, x):
    for options in ({id(model): {"zipmap": False}}, None):
        try:
            return to_onnx(model, x[:1], options=options, target_opset=SETS)
        except NameError:
            # A model without scores knows nothing of the option.
            continue
    raise ValueError(f"{model} has no export")


def columns():
    """Numbers that are scaled beside categories that become rows of ones and zeros."""
    x, y = CANCER
    x = numpy.hstack([x[:, :6], ORDER.randint(0, 4, (len(x), 2)).astype("f4")])
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    parts = [("n", numbers, list(range(6))), ("c", OneHotEncoder(handle_unknown="ignore"), [6, 7])]
    return make_pipeline(ColumnTransformer(parts), LogisticRegression(max_iter=3000)), x, y


def boosted():
    """Models of LightGBM and XGBoost, each with its converter."""
    for model, convert in [
        (LGBMClassifier(n_estimators=20, verbose=-1), convert_lightgbm),
        (LGBMRegressor(n_estimators=20, verbose=-1), convert_lightgbm),
        (XGBClassifier(n_estimators=20, max_depth=4), convert_xgboost),
        (XGBRegressor(n_estimators=20, max_depth=4), convert_xgboost),
    ]:
        x, y = DIABETES if type(model).__name__.endswith("Regressor") else WINE
        more = {"zipmap": False} if isinstance(model, LGBMClassifier) else {}
        given = [("X", FloatTensorType([None, x.shape[1]]))]
        export = lambda model, x, convert=convert, given=given, more=more: convert(
            model, initial_types=given, **more)
        yield type(model).__name__, model, (x, y), export


def models():
    for model in CLASSIFIERS:
        yield type(model).__name__, make_pipeline(StandardScaler(), model), WINE, by_sklearn
    for model in REGRESSORS:
        x, y = DIABETES
        yield type(model).__name__, make_pipeline(StandardScaler(), model), (x * 10, y + 1), by_sklearn
    for transform in TRANSFORMS:
        model = make_pipeline(transform, LogisticRegression(max_iter=3000))
        name = f"{type(transform).__name__}, LogisticRegression"
        yield name, model, CANCER, by_sklearn
    model, x, y = columns()
    yield "ColumnTransformer, LogisticRegression", model, (x, y), by_sklearn
    yield "IsolationForest", IsolationForest(n_estimators=20, max_samples=64), CANCER, by_sklearn
    yield from boosted()


def command(program, folder, *arguments):
    environment = dict(os.environ, ZKINFER_CACHE_DIR=str(folder.parent / "cache"))
    run = subprocess.run([program, *arguments, "--json"], cwd=folder, capture_output=True,
                         env=environment)
    try:
        return json.loads(run.stdout)
    except ValueError:
        return {"error": run.stderr.decode() or f"ended with {run.returncode}"}


def numbers(output):
    """An output of onnxruntime as numbers, None where it holds text."""
    if isinstance(output, list):
        output = [list(row.values()) for row in output]
    array = numpy.asarray(output).flatten()
    return array.astype(float) if array.dtype.kind in "biuf" else None


def measured(program, folder, samples):
    """A line of the table: seconds, bytes, the largest error, samples on which the alarm sounds."""
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    name = session.get_inputs()[0].name
    numpy.savez(folder / "samples.npz", **{name: samples[:60]})
    start = time.monotonic()
    setup = command(program, folder, "setup", "--calibrate", "samples.npz", "model.onnx")
    if "error" in setup:
        return setup["error"].splitlines()[0]
    setup_seconds = time.monotonic() - start
    worst, alarms = 0.0, 0
    for place, sample in enumerate(samples[60:72]):
        numpy.savez(folder / "x.npz", **{name: sample[None, :]})
        if place == 0:
            proof = command(program, folder, "prove", "--input", "x.npz", "model.onnx")
            checked = proof if "error" in proof else command(
                program, folder, "verify", "model.zkproof", "--key", "model.zkvk",
                "--allow-insecure-srs")
            if "error" in checked:
                return checked["error"].splitlines()[0]
        outcome = command(program, folder, "run", "--input", "x.npz", "model.onnx")
        alarms += bool(outcome.get("warnings"))
        for mine, theirs in zip(outcome["output"], session.run(None, {name: sample[None, :]})):
            theirs = numbers(theirs)
            if theirs is not None:
                scale = max(numpy.abs(theirs).max(), 1e-6)
                worst = max(worst, numpy.abs(numpy.array(mine) - theirs).max() / scale)
    seconds = f"{setup_seconds:.2f} | {proof['prove_seconds']:.3f} | {proof['proof_bytes']}"
    return f"{seconds} | {100 * worst:.2f} % | {alarms} of 12"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="models whose names hold this")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| model | setup, s | proof, s | bytes | largest error | alarm |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for index, (name, model, (x, y), export) in enumerate(models()):
            if arguments.only not in name:
                continue
            folder = pathlib.Path(scratch) / str(index)
            folder.mkdir()
            model.fit(x, y)
            (folder / "model.onnx").write_bytes(export(model, x).SerializeToString())
            print(f"| {name} | {measured(arguments.program.resolve(), folder, x)} |", flush=True)


if __name__ == "__main__":
    main()
