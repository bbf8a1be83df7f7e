//! Support vector machines: kernels with constant vectors, and sums of them.

use super::compose::{Lowered, Reduction};
use super::constant::Constant;
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::labels::class_labels;
use super::machine_learning::{DOMAIN, numbers};
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use crate::activation::Activation;
use crate::function::Function;

pub(super) const OPERATORS: &[Operator] = &[
    operator(
        "SVMClassifier",
        &[1],
        &[
            "classlabels_ints",
            "classlabels_strings",
            "coefficients",
            "kernel_params",
            "kernel_type",
            "post_transform",
            "prob_a",
            "prob_b",
            "rho",
            "support_vectors",
            "vectors_per_class",
        ],
        classifier,
    )
    .of_domain(DOMAIN),
    operator(
        "SVMRegressor",
        &[1],
        &[
            "coefficients",
            "kernel_params",
            "kernel_type",
            "n_supports",
            "one_class",
            "post_transform",
            "rho",
            "support_vectors",
        ],
        regressor,
    )
    .of_domain(DOMAIN),
];

/// Rows of features.
fn rows(node: &OnnxNode<'_>, importer: &mut Importer) -> Result<(Value, usize), ImportError> {
    let value = node.operand(0)?.clone().with_element(Element::Real);
    match importer.shape_of(&value)[..] {
        [width] => Ok((importer.reshaped(node, &value, vec![1, width])?, width)),
        [_, width] => Ok((value, width)),
        _ => Err(node.wrong_operand(0, "of one or two dimensions")),
    }
}

fn no_transform(node: &OnnxNode<'_>) -> Result<(), ImportError> {
    match node.text("post_transform")? {
        None | Some(b"NONE") => Ok(()),
        Some(_) => Err(node.unsupported("a post_transform; only NONE")),
    }
}

/// The kernel of each row with each of `count` support vectors: `[rows, count]`.
fn kernels(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    (value, width): (&Value, usize),
    count: usize,
) -> Result<Value, ImportError> {
    let vectors = numbers(node, "support_vectors")?;
    if count == 0 || vectors.len() != count * width {
        return Err(node.wrong_attribute("support_vectors", "a row of features for each vector"));
    }
    let parameters = numbers(node, "kernel_params")?;
    let parameter = |index: usize| parameters.get(index).copied().unwrap_or(0.0);
    let [gamma, shift, degree] = [parameter(0), parameter(1), parameter(2)];
    let dots = |importer: &mut Importer, factor: f64| {
        let turned = (0..width * count).map(|place| vectors[place % count * width + place / count]);
        let matrix = turned.map(|number| factor * number).collect();
        let matrix = Constant::reals(vec![width, count], matrix).into();
        importer.matrix_product(node, value, &matrix)
    };
    match node.text("kernel_type")? {
        None | Some(b"LINEAR") => dots(importer, 1.0),
        Some(b"POLY") => {
            let scaled = dots(importer, gamma)?;
            let shifted = importer.scaled(node, &scaled, 1.0, shift)?;
            super::arithmetic::power(node, importer, &shifted, degree)
        }
        Some(b"SIGMOID") => {
            let scaled = dots(importer, gamma)?;
            let shifted = importer.scaled(node, &scaled, 1.0, shift)?;
            importer.apply(node, &shifted, Activation::Tanh)
        }
        Some(b"RBF") => {
            // −gamma · |x − v|² = −gamma·|x|² + 2·gamma·x·v − gamma·|v|².
            let squares = importer.product(node, value, value)?;
            let squares = importer.reduced(node, &squares, &[1], Reduction::Sum)?;
            let squares = importer.scaled(node, &squares, -gamma, 0.0)?;
            let products = dots(importer, 2.0 * gamma)?;
            let norm = |vector: &[f64]| -gamma * vector.iter().map(|x| x * x).sum::<f64>();
            let norms = vectors.chunks(width.max(1)).map(norm).collect();
            let products =
                importer.add(node, &products, &Constant::reals(vec![count], norms).into())?;
            let distances = importer.add(node, &products, &squares)?;
            importer.apply(node, &distances, Activation::Function(Function::Decay))
        }
        Some(_) => Err(node.wrong_attribute("kernel_type", "LINEAR, POLY, RBF or SIGMOID")),
    }
}

/// Sums of kernels, one column of weights each, and what is added to them.
fn sums(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    kernels: &Value,
    (weights, added): (&Constant, &[f64]),
) -> Result<Value, ImportError> {
    let sums = importer.matrix_product(node, kernels, &weights.clone().into())?;
    importer.add(node, &sums, &Constant::reals(vec![added.len()], added.to_vec()).into())
}

/// `SVMRegressor`: a weighted sum of kernels, or of the features where there are no vectors; of one
/// class its sign.
fn regressor(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    no_transform(node)?;
    let (value, width) = rows(node, importer)?;
    let count = usize::try_from(node.int("n_supports")?.unwrap_or(0)).unwrap_or(0);
    let (coefficients, rho) = (numbers(node, "coefficients")?, numbers(node, "rho")?);
    let one_class = node.flag("one_class", false)?;
    let kernels = if count == 0 {
        node.has_no_effect(&["kernel_params", "kernel_type", "support_vectors"]);
        value
    } else {
        kernels(node, importer, (&value, width), count)?
    };
    let terms = if count == 0 { width } else { count };
    if coefficients.len() != terms || rho.len() != 1 {
        return Err(node.wrong_attribute("coefficients", "one for each vector, and one rho"));
    }
    let weights = Constant::reals(vec![terms, 1], coefficients);
    let sum = sums(node, importer, &kernels, (&weights, &rho))?;
    if !one_class {
        return Ok(vec![sum]);
    }
    let above = importer.apply(node, &sum, Activation::Function(Function::IsAbove))?;
    Ok(vec![importer.scaled(node, &above, 2.0, -1.0)?])
}

/// `SVMClassifier`: every pair of classes votes for one of the two; the first class with the most
/// votes has the label. Scores are the pairs' sums, of two classes the sum with both signs, or its
/// probabilities.
fn classifier(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    no_transform(node)?;
    let labels = class_labels(node, importer, ["classlabels_ints", "classlabels_strings"])?;
    let classes = labels.names.len();
    let sizes = node.ints("vectors_per_class")?.unwrap_or_default();
    let sizes = sizes.iter().map(|&size| usize::try_from(size).ok());
    let sizes = sizes.collect::<Option<Vec<usize>>>().filter(|sizes| sizes.len() == classes);
    let Some(sizes) = sizes.filter(|_| classes > 1) else {
        return Err(node.unsupported("no vectors of classes; convert it as a LinearClassifier"));
    };
    let count = sizes.iter().sum();
    let (value, width) = rows(node, importer)?;
    let pairs: Vec<[usize; 2]> =
        (0..classes).flat_map(|a| (a + 1..classes).map(move |b| [a, b])).collect();
    let weights = pair_weights(node, &pairs, (&sizes, count))?;
    let rho = numbers(node, "rho")?;
    if rho.len() != pairs.len() {
        return Err(node.wrong_attribute("rho", "one number for each pair of classes"));
    }
    let kernels = kernels(node, importer, (&value, width), count)?;
    // The sums whose signs decide have nothing else that reads them.
    let margins = sums(node, importer, &kernels, (&weights, &rho))?;
    let wins = importer.apply(node, &margins, Activation::Function(Function::IsAbove))?;
    let sign = |holds: bool| if holds { 1.0 } else { 0.0 };
    let votes = pairs
        .iter()
        .flat_map(|&[a, b]| (0..classes).map(move |class| sign(class == a) - sign(class == b)));
    let votes = Constant::reals(vec![pairs.len(), classes], votes.collect());
    let lost = (0..classes).map(super::compose::count).collect::<Vec<f64>>();
    let votes = sums(node, importer, &wins, (&votes, &lost))?;
    let place = importer.largest_place(node, &votes, 1, false)?;
    let label = importer.number_of_place(node, &place, 1, labels.numbers)?;
    let rows = importer.shape_of(&label)[0];
    let label = importer.reshaped(node, &label, vec![rows])?.with_element(labels.kind);
    importer.name_columns(node, 1, labels.names);
    let scores = scores(node, importer, &kernels, (&weights, &rho))?;
    Ok(vec![label, scores])
}

/// The weights of all vectors in the sum of each pair of classes: `[vectors, pairs]`.
fn pair_weights(
    node: &OnnxNode<'_>,
    pairs: &[[usize; 2]],
    (sizes, count): (&[usize], usize),
) -> Result<Constant, ImportError> {
    let coefficients = numbers(node, "coefficients")?;
    if coefficients.len() != (sizes.len() - 1) * count {
        let expected = "one number for each vector and each other class";
        return Err(node.wrong_attribute("coefficients", expected));
    }
    let class_of = sizes.iter().enumerate().flat_map(|(class, &size)| vec![class; size]);
    let weight = |vector: usize, class: usize, [a, b]: [usize; 2]| {
        if class == a {
            coefficients[(b - 1) * count + vector]
        } else if class == b {
            coefficients[a * count + vector]
        } else {
            0.0
        }
    };
    let weights = class_of.enumerate().flat_map(|(vector, class)| {
        pairs.iter().map(move |&pair| weight(vector, class, pair)).collect::<Vec<f64>>()
    });
    Ok(Constant::reals(vec![count, pairs.len()], weights.collect()))
}

fn scores(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    kernels: &Value,
    (weights, rho): (&Constant, &[f64]),
) -> Result<Value, ImportError> {
    let (slopes, shifts) = (numbers(node, "prob_a")?, numbers(node, "prob_b")?);
    let both = |importer: &mut Importer, factor: f64, shift: f64| {
        let column = weights.to_reals();
        let signed = column.iter().flat_map(|weight| [-factor * weight, factor * weight]);
        let signed = Constant::reals(vec![column.len(), 2], signed.collect());
        let added = factor * rho[0] + shift;
        sums(node, importer, kernels, (&signed, &[-added, added]))
    };
    match (&slopes[..], &shifts[..]) {
        ([], []) if rho.len() == 1 => both(importer, 1.0, 0.0),
        ([], []) => sums(node, importer, kernels, (weights, rho)),
        // The first class has 1 − σ(slope · sum + shift) = σ(−…).
        (&[slope], &[shift]) if rho.len() == 1 => {
            let both = both(importer, slope, shift)?;
            importer.apply(node, &both, Activation::Sigmoid)
        }
        _ => Err(node.unsupported(
            "probabilities of more than two classes, which are found step by step; convert it \
             without probabilities",
        )),
    }
}
