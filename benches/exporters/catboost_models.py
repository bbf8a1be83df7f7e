"""Models of CatBoost by its own export to ONNX."""

import numpy
from catboost import CatBoostClassifier, CatBoostRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from common.exported import Exported


def shuffled(loader):
    x, y = loader(return_X_y=True)
    order = numpy.random.RandomState(0).permutation(len(x))
    return x[order].astype("f4"), y[order]


WINE, CANCER, DIABETES, DIGITS = map(
    shuffled, (load_wine, load_breast_cancer, load_diabetes, load_digits))
NAMES = numpy.array(["setosa", "virginica", "versicolor"])
KINDS = [
    ("classifier of two", CatBoostClassifier(40, depth=4), *CANCER),
    ("classifier of three", CatBoostClassifier(30, depth=4), *WINE),
    ("classifier of ten", CatBoostClassifier(20, depth=5), *DIGITS),
    ("classifier with names", CatBoostClassifier(20, depth=4), WINE[0], NAMES[WINE[1]]),
    ("one against all", CatBoostClassifier(20, depth=4, loss_function="MultiClassOneVsAll"), *WINE),
    ("class weights", CatBoostClassifier(20, depth=4, auto_class_weights="Balanced"), *CANCER),
    ("deeper and lossguide", CatBoostClassifier(
        20, grow_policy="Lossguide", max_leaves=20, depth=8), *CANCER),
    ("depthwise", CatBoostClassifier(20, grow_policy="Depthwise", depth=5), *CANCER),
    ("regressor", CatBoostRegressor(40, depth=4), *DIABETES),
    ("mean absolute error", CatBoostRegressor(40, depth=4, loss_function="MAE"), *DIABETES),
    ("quantile", CatBoostRegressor(40, depth=4, loss_function="Quantile:alpha=0.9"), *DIABETES),
    ("Poisson", CatBoostRegressor(40, depth=4, loss_function="Poisson"), *DIABETES),
    ("Tweedie", CatBoostRegressor(
        40, depth=4, loss_function="Tweedie:variance_power=1.5"), *DIABETES),
    ("two targets", CatBoostRegressor(40, depth=4, loss_function="MultiRMSE"), DIABETES[0],
     numpy.stack([DIABETES[1], DIABETES[1] ** .5], 1)),
]


def models():
    for name, *rest in KINDS:
        yield name, lambda rest=rest: trained(*rest)


def trained(model, x, y):
    model.set_params(verbose=False, allow_writing_files=False, thread_count=1, random_seed=0)
    model.fit(x, y)
    export = lambda path: model.save_model(str(path), format="onnx")
    return Exported(export, [x[-100:]], predictor(model))


def predictor(model):
    if not isinstance(model, CatBoostClassifier):
        return lambda arrays: [model.predict(arrays[0])]
    places = {label: place for place, label in enumerate(model.classes_)}

    def predict(arrays):
        labels = model.predict(arrays[0]).flatten()
        return [[places[label] for label in labels], model.predict_proba(arrays[0])]

    return predict
