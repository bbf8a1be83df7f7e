//! The graph's inputs: element types and shapes.

use super::proto::{Dim, GraphProto, ValueInfoProto};

use super::constant::{is_real, type_name};
use crate::error::{ImportError, Part};

/// Name and shape of each input that is not an initializer; an open batch dimension becomes 1.
pub(super) fn graph_inputs(graph: &GraphProto) -> Result<Vec<(String, Vec<usize>)>, ImportError> {
    let initialized = |name: &str| graph.initializer.iter().any(|tensor| tensor.name == name);
    let inputs = graph
        .input
        .iter()
        .filter(|input| !initialized(&input.name))
        .map(|input| Ok((input.name.clone(), input_shape(input)?)))
        .collect::<Result<Vec<_>, ImportError>>()?;
    if inputs.is_empty() {
        return Err(ImportError::Empty(Part::Inputs));
    }
    Ok(inputs)
}

fn input_shape(input: &ValueInfoProto) -> Result<Vec<usize>, ImportError> {
    let untyped = || ImportError::Untyped { input: input.name.clone() };
    let tensor = input.r#type.as_ref().and_then(|ty| ty.tensor_type.as_ref());
    let tensor = tensor.ok_or_else(untyped)?;
    if !is_real(tensor.elem_type) {
        return Err(ImportError::ElementType {
            tensor: input.name.clone(),
            dtype: type_name(tensor.elem_type),
            expected: "a floating-point type",
        });
    }
    let shape = tensor.shape.as_ref().ok_or_else(untyped)?;
    let dims = shape.dim.iter().enumerate();
    dims.map(|(axis, dim)| dimension(&input.name, axis, dim.value.as_ref())).collect()
}

fn dimension(input: &str, axis: usize, dim: Option<&Dim>) -> Result<usize, ImportError> {
    let refused = |got: String| ImportError::Dimension { tensor: input.to_owned(), axis, got };
    match dim {
        Some(Dim::Value(size)) if *size > 0 => {
            usize::try_from(*size).map_err(|_| refused(size.to_string()))
        }
        // The batch dimension, left open: one inference is proved at a time.
        _ if axis == 0 => match dim {
            Some(Dim::Value(size)) if *size < -1 => Err(refused(size.to_string())),
            _ => Ok(1),
        },
        Some(Dim::Value(size)) => Err(refused(size.to_string())),
        Some(Dim::Param(symbol)) => Err(refused(format!("the symbol `{symbol}`"))),
        None => Err(refused("unknown".to_owned())),
    }
}
