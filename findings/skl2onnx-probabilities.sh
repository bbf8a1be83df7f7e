#!/usr/bin/env bash
# skl2onnx 1.20.0 with scikit-learn 1.9.1: three classifiers become files with other probabilities or
# labels, without a word.
#
#   LinearDiscriminantAnalysis, two classes    the logistic function of twice the decision value
#   CalibratedClassifierCV(method="isotonic")  steps where scikit-learn interpolates
#   SGDClassifier                              same probabilities, but the label is their first
#                                              maximum: where several are 1 in single precision,
#                                              scikit-learn takes the class by the decision values
#
# LDA with three classes and sigmoid calibration are right, and so are logistic regression, SVC,
# gradient boosting, bagging, AdaBoost and multilayer perceptrons.
#
# Seen on 2026-11-28 on 150 flowers: largest difference of a probability, labels that differ:
#   LDA, three classes 0.000 0 | LDA, two classes 0.150 0
#   sigmoid 0.000 0 | isotonic 0.192 0 | SGD, log_loss 0.000 7 | SGD, modified_huber 0.000 18
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 \
    skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import SGDClassifier
from sklearn.svm import SVC

x, y = load_iris(return_X_y=True)
x = x.astype(np.float32)
two = (y == 1).astype(int)


def compare(model, labels):
    model.fit(x, labels)
    made = to_onnx(model, x[:1], options={"zipmap": False})
    label, scores = onnxruntime.InferenceSession(made.SerializeToString()).run(None, {"X": x})
    off = np.abs(scores - model.predict_proba(x)).max()
    return off, int((label != model.predict(x)).sum()), scores


def calibrated(method):
    return CalibratedClassifierCV(SVC(random_state=0), method=method)


def descent(loss):
    return SGDClassifier(loss=loss, random_state=0)


found = {}
for name, model, labels in [
    ("LDA, three classes", LinearDiscriminantAnalysis(), y),
    ("LDA, two classes", LinearDiscriminantAnalysis(), two),
    ("sigmoid", calibrated("sigmoid"), y),
    ("isotonic", calibrated("isotonic"), y),
    ("SGD, log_loss", descent("log_loss"), y),
    ("SGD, modified_huber", descent("modified_huber"), y),
]:
    off, labels, scores = compare(model, labels)
    found[name] = off, labels, scores, model
    print(f"{name}: {off:.3f}, {labels} labels")

wrong = {"LDA, two classes", "isotonic"}
assert {name for name, (off, *_) in found.items() if off > 1e-4} == wrong
differ = {name for name, (_, labels, *_) in found.items() if labels > 5}
assert differ == {"SGD, log_loss", "SGD, modified_huber"}
scores, model = found["LDA, two classes"][2:]
assert np.allclose(scores[:, 1], 1 / (1 + np.exp(-2 * model.decision_function(x))), atol=1e-5)
PYTHON
echo 'as described: skl2onnx 1.20.0 converts these classifiers of scikit-learn 1.9.1 to others'
