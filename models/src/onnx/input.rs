//! The graph's inputs: what the file declares, and what the caller makes of it.

use std::collections::{HashMap, HashSet};

use super::element::{Element, Stored, type_name};
use super::error::{ImportError, Part};
use super::options::{ImportOptions, dimensions};
use super::proto::{Dim, GraphProto, TensorShapeProto, ValueInfoProto};

/// An input as the file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredInput {
    /// Its name.
    pub name: String,
    /// The ONNX name of its element type.
    pub dtype: String,
    /// What its elements are; `None` where they are no numbers.
    pub element: Option<Element>,
    /// Its dimensions, where the file says how many there are.
    pub shape: Option<Vec<Dimension>>,
    /// How the file stores its elements.
    pub(super) stored: Stored,
}

/// A dimension as the file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dimension {
    /// A number.
    Fixed(usize),
    /// A symbol: the same number wherever it stands.
    Symbol(String),
    /// Anything.
    Open,
}

/// An input with all that the importer needs to know.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) element: Element,
    pub(super) shape: Vec<usize>,
    /// The value, where the caller makes the input a constant: one for all elements, or all.
    pub(super) fixed: Option<Vec<f64>>,
    pub(super) stored: Stored,
}

/// The inputs that no initializer gives.
pub(super) fn declared_inputs(graph: &GraphProto) -> Result<Vec<DeclaredInput>, ImportError> {
    let initialized: HashSet<&str> =
        graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let inputs = graph.input.iter().filter(|input| !initialized.contains(input.name.as_str()));
    inputs.map(declared).collect()
}

fn declared(input: &ValueInfoProto) -> Result<DeclaredInput, ImportError> {
    let tensor = input.r#type.as_ref().and_then(|ty| ty.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(|| ImportError::Untyped { input: input.name.clone() })?;
    let shape = tensor.shape.as_ref().map(|shape| declared_shape(&input.name, shape));
    Ok(DeclaredInput {
        name: input.name.clone(),
        dtype: type_name(tensor.elem_type),
        element: Element::of_input(tensor.elem_type),
        stored: Stored::of(tensor.elem_type),
        shape: shape.transpose()?,
    })
}

fn declared_shape(name: &str, shape: &TensorShapeProto) -> Result<Vec<Dimension>, ImportError> {
    let dimension = |(axis, dim): (usize, &super::proto::DimensionProto)| match &dim.value {
        None | Some(Dim::Value(-1)) => Ok(Dimension::Open),
        Some(Dim::Param(symbol)) if symbol.is_empty() => Ok(Dimension::Open),
        Some(Dim::Param(symbol)) => Ok(Dimension::Symbol(super::names::printable(symbol))),
        Some(Dim::Value(size)) => match usize::try_from(*size) {
            Ok(size) => Ok(Dimension::Fixed(size)),
            Err(_) => Err(ImportError::Dimension { tensor: name.to_owned(), axis, got: *size }),
        },
    };
    shape.dim.iter().enumerate().map(dimension).collect()
}

/// The inputs under the caller's options; one that cannot be used gives a reason instead.
pub(super) fn resolve(
    declared: &[DeclaredInput],
    options: &ImportOptions,
    reasons: &mut Vec<ImportError>,
) -> Vec<Input> {
    let known = |name: &String| declared.iter().any(|input| input.name == *name);
    let names = || declared.iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", ");
    for (name, shape) in options.shapes.iter().filter(|(name, _)| !known(name)) {
        reasons.push(ImportError::GivenShape {
            input: name.clone(),
            given: dimensions(shape),
            what: format!("the model has no such input; it has {}", names()),
        });
    }
    for (name, _) in options.fixed.iter().filter(|(name, _)| !known(name)) {
        let what = format!("the model has no such input; it has {}", names());
        reasons.push(ImportError::Fixed { input: name.clone(), what });
    }
    if declared.iter().all(|input| options.fixed.contains_key(&input.name)) {
        reasons.push(ImportError::Empty(Part::Inputs));
    }
    let symbols = match symbols(declared, options) {
        Ok(symbols) => symbols,
        Err(reason) => {
            reasons.push(reason);
            HashMap::new()
        }
    };
    let mut inputs = Vec::new();
    for input in declared {
        match resolve_one(input, options, &symbols) {
            Ok(input) => inputs.push(input),
            Err(reason) => reasons.push(reason),
        }
    }
    refuse_empty(&inputs, reasons);
    inputs
}

/// An input without elements is a constant; where it is the only one, the exporter meant another
/// shape.
fn refuse_empty(inputs: &[Input], reasons: &mut Vec<ImportError>) {
    if inputs.iter().any(|input| input.fixed.is_none()) {
        return;
    }
    let empty = inputs.iter().filter_map(|input| {
        let axis = input.shape.iter().position(|&size| size == 0)?;
        Some(ImportError::Dimension { tensor: input.name.clone(), axis, got: 0 })
    });
    reasons.extend(empty);
}

/// The number that each symbol stands for: given with a shape, or 1 for a batch.
fn symbols<'a>(
    declared: &'a [DeclaredInput],
    options: &ImportOptions,
) -> Result<HashMap<&'a str, usize>, ImportError> {
    let mut symbols = HashMap::new();
    for input in declared {
        let (Some(shape), Some(given)) = (&input.shape, options.shapes.get(&input.name)) else {
            continue;
        };
        for (dimension, &size) in shape.iter().zip(given) {
            let Dimension::Symbol(symbol) = dimension else { continue };
            let before = symbols.insert(symbol.as_str(), size);
            if let Some(other) = before.filter(|&before| before != size) {
                return Err(ImportError::GivenShape {
                    input: input.name.clone(),
                    given: dimensions(given),
                    what: format!("`{symbol}` is {other} elsewhere and {size} here"),
                });
            }
        }
    }
    for input in declared {
        if let Some(Dimension::Symbol(symbol)) = input.shape.as_ref().and_then(|s| s.first()) {
            symbols.entry(symbol.as_str()).or_insert(1);
        }
    }
    Ok(symbols)
}

fn resolve_one(
    input: &DeclaredInput,
    options: &ImportOptions,
    symbols: &HashMap<&str, usize>,
) -> Result<Input, ImportError> {
    let element = input.element.ok_or_else(|| ImportError::ElementType {
        tensor: input.name.clone(),
        dtype: input.dtype.clone(),
        expected: "numbers or booleans; export the model without this input",
    })?;
    let given = options.shapes.get(&input.name);
    if let Some(given) = given {
        check_given(input, given)?;
    }
    let size = |(axis, dimension): (usize, &Dimension)| match (dimension, given) {
        (_, Some(given)) => Some(given[axis]),
        (Dimension::Fixed(size), _) => Some(*size),
        (Dimension::Symbol(symbol), _) => symbols.get(symbol.as_str()).copied(),
        // The batch, left open: one inference is proved at a time.
        (Dimension::Open, _) => (axis == 0).then_some(1),
    };
    let shape = match (&input.shape, given) {
        (Some(declared), _) => declared.iter().enumerate().map(size).collect::<Vec<_>>(),
        (None, Some(given)) => given.iter().copied().map(Some).collect(),
        (None, None) => vec![None],
    };
    let complete: Option<Vec<usize>> = shape.iter().copied().collect();
    let shape = complete.ok_or_else(|| open(input, &shape))?;
    let fixed = options.fixed.get(&input.name).cloned();
    if let Some(values) = &fixed {
        check_fixed(input, element, &shape, values)?;
    }
    let fixed = if shape.contains(&0) { Some(Vec::new()) } else { fixed };
    Ok(Input { name: input.name.clone(), element, shape, fixed, stored: input.stored })
}

/// The inputs of which the options do not give what the file leaves open.
pub(super) fn open_inputs<'a>(
    declared: &'a [DeclaredInput],
    options: &ImportOptions,
) -> Vec<&'a DeclaredInput> {
    let Ok(symbols) = symbols(declared, options) else { return Vec::new() };
    let is_open = |input: &&DeclaredInput| {
        let refused = resolve_one(input, options, &symbols).err();
        matches!(refused, Some(ImportError::OpenDimension { .. }))
    };
    declared.iter().filter(is_open).collect()
}

impl DeclaredInput {
    /// The input's shape where a file holds it in the shape `seen`: the same, without the batch,
    /// with one more dimension of 1 before it, or flat where one dimension is open. The batch, where
    /// it is open, is 1. `None` where it does not fit.
    pub(super) fn shape_like(&self, seen: &[usize]) -> Option<Vec<usize>> {
        if seen.contains(&0) {
            return None;
        }
        let Some(declared) = &self.shape else { return Some(seen.to_vec()) };
        let size = |(axis, dimension): (usize, &Dimension)| match dimension {
            Dimension::Fixed(size) => Some(*size),
            Dimension::Symbol(_) | Dimension::Open => (axis == 0).then_some(1),
        };
        let known: Vec<Option<usize>> = declared.iter().enumerate().map(size).collect();
        let seen = if seen.len() == known.len() + 1 { seen.strip_prefix(&[1])? } else { seen };
        let offset = known.len().checked_sub(seen.len())?;
        let missing = known.get(..offset)?;
        if offset <= 1 && missing.iter().all(|size| *size == Some(1)) {
            let sizes = known[offset..].iter().zip(seen).enumerate();
            let fits = sizes.map(|(axis, (known, &seen))| match known {
                // How many sets there are is told when the file is read as inputs.
                Some(1) if axis + offset == 0 => Some(1),
                Some(known) if *known != seen => None,
                _ => Some(seen),
            });
            let sizes: Option<Vec<usize>> = fits.collect();
            if let Some(sizes) = sizes {
                return Some([vec![1; offset], sizes].concat());
            }
        }
        flat(&known, seen)
    }
}

/// The shape of so many elements, where one dimension is open.
fn flat(known: &[Option<usize>], seen: &[usize]) -> Option<Vec<usize>> {
    let [len] = seen else { return None };
    if known.iter().filter(|size| size.is_none()).count() != 1 {
        return None;
    }
    let rest = known.iter().flatten().try_fold(1usize, |rest, &size| rest.checked_mul(size))?;
    let open = len.checked_div(rest).filter(|open| *open > 0 && open * rest == *len)?;
    Some(known.iter().map(|size| size.unwrap_or(open)).collect())
}

fn open(input: &DeclaredInput, shape: &[Option<usize>]) -> ImportError {
    let sizes = shape.iter().map(|size| size.map_or("?".to_owned(), |size| size.to_string()));
    let axis = shape.iter().position(Option::is_none).unwrap_or(0);
    let dimension = match input.shape.as_ref().and_then(|shape| shape.get(axis)) {
        Some(Dimension::Symbol(symbol)) => format!("dimension {axis} (`{symbol}`)"),
        Some(_) => format!("dimension {axis}"),
        None => "its number of dimensions".to_owned(),
    };
    let flag = format!("{}={}", input.name, sizes.collect::<Vec<_>>().join("x"));
    ImportError::OpenDimension { input: input.name.clone(), dimension, flag }
}

fn check_given(input: &DeclaredInput, given: &[usize]) -> Result<(), ImportError> {
    let refused = |what: String| {
        Err(ImportError::GivenShape { input: input.name.clone(), given: dimensions(given), what })
    };
    if given.contains(&0) {
        return refused("every dimension must be 1 or more".to_owned());
    }
    let Some(shape) = &input.shape else { return Ok(()) };
    if shape.len() != given.len() {
        return refused(format!("the model's input has {} dimensions", shape.len()));
    }
    for (axis, (dimension, &size)) in shape.iter().zip(given).enumerate() {
        if let Dimension::Fixed(fixed) = dimension
            && *fixed != size
        {
            return refused(format!("the model fixes dimension {axis} to {fixed}"));
        }
    }
    Ok(())
}

fn check_fixed(
    input: &DeclaredInput,
    element: Element,
    shape: &[usize],
    values: &[f64],
) -> Result<(), ImportError> {
    let refused = |what: String| Err(ImportError::Fixed { input: input.name.clone(), what });
    let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    if values.len() != 1 && Some(values.len()) != count {
        return refused(format!(
            "{} values for the shape {}, expected one, or one for each element",
            values.len(),
            dimensions(shape)
        ));
    }
    let Some((lo, hi)) = element.bounds() else { return Ok(()) };
    let fits = |value: &f64| value.fract() == 0.0 && *value >= real(lo) && *value <= real(hi);
    match values.iter().find(|value| !fits(value)) {
        Some(value) => refused(format!("{value} is no {}", input.dtype)),
        None => Ok(()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounds outwards at 2^63, where no input is exact")]
fn real(bound: i64) -> f64 {
    bound as f64
}
