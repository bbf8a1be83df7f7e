//! `Attention` of the standard: products of two tensors and a softmax for each head.

use super::compose::{Lowered, Reduction, count};
use super::constant::{Constant, Data};
use super::element::Element;
use super::error::ImportError;
use super::importer::Importer;
use super::node::{OnnxNode, Value};
use super::operators::{Operator, operator};
use super::padding::{Mode, padded};
use crate::activation::Activation;

pub(super) const OPERATORS: &[Operator] = &[
    operator(
        "Attention",
        &[23, 24, 25],
        &[
            "is_causal",
            "kv_num_heads",
            "left_window_size",
            "q_num_heads",
            "qk_matmul_output_mode",
            "right_window_size",
            "scale",
            "softcap",
            "softmax_precision",
        ],
        attention,
    ),
    operator(
        "RotaryEmbedding",
        &[23],
        &["interleaved", "num_heads", "rotary_embedding_dim"],
        rotary_embedding,
    ),
];

/// Queries, keys and values as `[batch, heads, sequence, size]`.
struct Heads {
    query: Value,
    key: Value,
    value: Value,
    /// Keys that come before the ones of this node.
    past: usize,
}

fn attention(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    // Numbers are real all the way.
    node.has_no_effect(&["softmax_precision"]);
    let flat = importer.shape_of(node.operand(0)?).len() == 3;
    let Heads { query, key, value, past } = heads(node, importer, flat)?;
    let [batch, query_heads, queries, size] = importer.shape_of(&query)[..] else {
        return Err(node.wrong_operand(0, "of three or four dimensions"));
    };
    let key_shape = importer.shape_of(&key);
    let (key_heads, keys) = (key_shape[1], key_shape[2]);
    if key_heads == 0 || query_heads % key_heads != 0 || key_shape[3] != size {
        return Err(node.wrong_shape("heads and sizes that fit", &[&key_shape]));
    }
    let repeated = |importer: &mut Importer, value: &Value| {
        let shape = importer.shape_of(value);
        let mut places: Vec<Vec<usize>> = shape.iter().map(|&n| (0..n).collect()).collect();
        places[1] = (0..query_heads).map(|head| head / (query_heads / key_heads)).collect();
        importer.picked(node, value, &places)
    };
    let (all_keys, all_values) = match query_heads == key_heads {
        true => (key.clone(), value.clone()),
        false => (repeated(importer, &key)?, repeated(importer, &value)?),
    };
    let scale = node.float("scale")?.unwrap_or_else(|| 1.0 / count(size).sqrt());
    let scaled = importer.scaled(node, &query, scale, 0.0)?;
    let turned = importer.transposed(node, &all_keys, &[0, 1, 3, 2])?;
    let raw = importer.matrix_product(node, &scaled, &turned)?;
    let capped = match node.float("softcap")?.filter(|&cap| cap != 0.0) {
        None => raw.clone(),
        Some(cap) => {
            let small = importer.scaled(node, &raw, 1.0 / cap, 0.0)?;
            let bent = importer.apply(node, &small, Activation::Tanh)?;
            importer.scaled(node, &bent, cap, 0.0)?
        }
    };
    let shape = [batch, query_heads, queries, keys];
    let mask = mask(node, importer, shape, past)?;
    let mut biased = capped.clone();
    for bias in mask.bias.iter().chain(&mask.places) {
        biased = importer.add(node, &biased, bias)?;
    }
    let Value::Tensor(scores) = biased else {
        return Err(node.unsupported("queries and keys that are constant"));
    };
    let mut shares = importer.softmax_of(node, scores.id, 3..4)?;
    if let Some(rows) = &mask.attending {
        shares = importer.product(node, &shares, rows)?;
    }
    let mut result = importer.matrix_product(node, &shares, &all_values)?;
    if flat {
        let shape = importer.shape_of(&result);
        let together = importer.transposed(node, &result, &[0, 2, 1, 3])?;
        result = importer.reshaped(node, &together, vec![batch, queries, shape[1] * shape[3]])?;
    }
    let shown = match node.int("qk_matmul_output_mode")?.unwrap_or(0) {
        0 => raw,
        1 => capped,
        2 => Value::Tensor(scores),
        3 => shares,
        _ => return Err(node.wrong_attribute("qk_matmul_output_mode", "0 to 3")),
    };
    Ok(vec![result, key, value, shown])
}

fn heads(node: &OnnxNode<'_>, importer: &mut Importer, flat: bool) -> Result<Heads, ImportError> {
    let (query_heads, key_heads) = (node.int("q_num_heads")?, node.int("kv_num_heads")?);
    let apart = |importer: &mut Importer, index: usize, heads: Option<i64>| {
        let value = node.operand(index)?;
        if !flat {
            return Ok(value.clone());
        }
        split_heads(node, importer, value, heads)
    };
    let query = apart(importer, 0, query_heads)?;
    let mut key = apart(importer, 1, key_heads)?;
    let mut value = apart(importer, 2, key_heads)?;
    let mut past = 0;
    if let (Some(past_key), Some(past_value)) = (node.optional(4), node.optional(5)) {
        past = importer.shape_of(past_key).get(2).copied().unwrap_or(0);
        key = importer.joined(node, &[past_key.clone(), key], 2)?;
        value = importer.joined(node, &[past_value.clone(), value], 2)?;
    }
    let shapes = [&query, &key, &value].map(|value| importer.shape_of(value));
    if shapes.iter().any(|shape| shape.len() != 4) || shapes[1][..3] != shapes[2][..3] {
        return Err(node.wrong_shape("batch, heads, sequence and size", &[&shapes[1], &shapes[2]]));
    }
    Ok(Heads { query, key, value, past })
}

/// `[batch, sequence, heads · size]` as `[batch, heads, sequence, size]`.
fn split_heads(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    value: &Value,
    heads: Option<i64>,
) -> Result<Value, ImportError> {
    let shape = importer.shape_of(value);
    let heads = heads.and_then(|heads| usize::try_from(heads).ok()).filter(|&heads| heads > 0);
    let (Some(heads), [batch, length, width]) = (heads, &shape[..]) else {
        return Err(node.wrong_attribute("q_num_heads", "given where inputs have three dimensions"));
    };
    if width % heads != 0 {
        return Err(node.wrong_shape("heads of equal size", &[&shape]));
    }
    let apart = importer.reshaped(node, value, vec![*batch, *length, heads, width / heads])?;
    importer.transposed(node, &apart, &[0, 2, 1, 3])
}

/// What a mask does to scores of shape `[batch, heads, queries, keys]`.
struct Mask {
    /// What is added.
    bias: Option<Value>,
    /// What is added then: minus infinity at places that are known.
    places: Option<Value>,
    /// 0 for each query that may look at no key, else 1; none where there is no such query.
    attending: Option<Value>,
}

/// The mask operand, and the places that attributes and lengths leave.
fn mask(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    shape: [usize; 4],
    past: usize,
) -> Result<Mask, ImportError> {
    let mut places = places(node, importer, shape, past)?;
    let given = match node.optional(3) {
        None => None,
        Some(mask) => {
            let (mask, beyond) = widened(node, importer, mask, shape[3])?;
            places = match (places, beyond) {
                (Some(places), Some(beyond)) => {
                    let both = importer.add(node, &places.into(), &beyond.into())?;
                    Some(constant_of(node, &both)?)
                }
                (places, beyond) => places.or(beyond),
            };
            Some(mask)
        }
    };
    let lowest = f64::from(f32::MIN);
    match given {
        // A computed mask of booleans: places are numbers 0 and 1 until the end.
        Some(given @ Value::Tensor(_)) if Importer::element_of(&given) != Element::Real => {
            let given = given.with_element(Element::Real);
            let allowed = match &places {
                None => given,
                Some(places) => {
                    let allowed = places.map(|x| if x <= lowest { 0.0 } else { 1.0 });
                    importer.product(node, &given, &allowed.into())?
                }
            };
            let last = importer.shape_of(&allowed).len() - 1;
            let attending = importer.reduced(node, &allowed, &[last], Reduction::Max)?;
            // An activation between keeps the two large numbers apart from the scores, which would
            // be lost in their sum.
            let forbidden = importer.scaled(node, &allowed, -1.0, 1.0)?;
            let forbidden = importer.apply(node, &forbidden, Activation::Relu)?;
            let bias = importer.scaled(node, &forbidden, lowest, 0.0)?;
            Ok(Mask { bias: Some(bias), places: None, attending: Some(attending) })
        }
        Some(Value::Constant(given)) => {
            let given = Value::Constant(given);
            let bias = match places {
                None => given,
                Some(places) => importer.add(node, &given, &places.into())?,
            };
            let attending = match &bias {
                Value::Constant(bias) => attending_rows(bias, shape),
                Value::Tensor(_) => None,
            };
            Ok(Mask { bias: Some(bias), places: None, attending: attending.map(Value::from) })
        }
        Some(given) => {
            // What computed numbers forbid is not known; places forbid it anyway. The two are added
            // to the scores one after the other: in a sum of their own the numbers would be lost.
            let attending = places.as_ref().and_then(|places| attending_rows(places, shape));
            let attending = attending.map(Value::from);
            Ok(Mask { bias: Some(given), places: places.map(Value::from), attending })
        }
        None => {
            let attending = places.as_ref().and_then(|places| attending_rows(places, shape));
            let attending = attending.map(Value::from);
            Ok(Mask { bias: places.map(Value::from), places: None, attending })
        }
    }
}

/// Minus infinity where attributes and lengths do not let a query look, else 0.
fn places(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    [batch, _, queries, keys]: [usize; 4],
    past: usize,
) -> Result<Option<Constant>, ImportError> {
    let lengths = match node.optional(6) {
        None => None,
        Some(_) => Some(super::movement::sizes(node, 6)?),
    };
    let causal = node.flag("is_causal", false)?;
    let window = |name| Ok::<_, ImportError>(node.int(name)?.filter(|&size| size >= 0));
    let (left, right) = (window("left_window_size")?, window("right_window_size")?);
    if !causal && lengths.is_none() && left.is_none() && right.is_none() {
        return Ok(None);
    }
    let signed = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
    importer.budget.elements(&node.name, &[batch, queries, keys])?;
    let mut numbers = Vec::with_capacity(batch * queries * keys);
    for item in 0..batch {
        let length = match &lengths {
            None => keys,
            Some(lengths) => *lengths
                .get(item)
                .ok_or_else(|| node.wrong_operand(6, "one length for each of the batch"))?,
        };
        let offset = match lengths {
            Some(_) => signed(length) - signed(queries),
            None => signed(past),
        };
        for query in 0..queries {
            let place = signed(query) + offset;
            let allows = |key: usize| {
                let key_place = signed(key);
                key < length
                    && (!causal || key_place <= place)
                    && left.is_none_or(|left| key_place >= place.saturating_sub(left))
                    && right.is_none_or(|right| key_place <= place.saturating_add(right))
            };
            numbers.extend((0..keys).map(|key| if allows(key) { 0.0 } else { f64::NEG_INFINITY }));
        }
    }
    Ok(Some(Constant::reals(vec![batch, 1, queries, keys], numbers)))
}

fn constant_of(node: &OnnxNode<'_>, value: &Value) -> Result<Constant, ImportError> {
    match value {
        Value::Constant(constant) => Ok((**constant).clone()),
        Value::Tensor(_) => Err(node.computed_operand(3)),
    }
}

/// The mask operand for all keys: numbers to add, or computed booleans. Keys beyond computed numbers
/// are forbidden by a constant of their own.
fn widened(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    mask: &Value,
    keys: usize,
) -> Result<(Value, Option<Constant>), ImportError> {
    let is_boolean = match mask {
        Value::Constant(constant) => matches!(constant.data, Data::Integer(_)),
        Value::Tensor(tensor) => tensor.element != Element::Real,
    };
    let mask = match mask {
        Value::Constant(constant) if is_boolean => {
            constant.map(|allowed| if allowed == 0.0 { f64::NEG_INFINITY } else { 0.0 }).into()
        }
        _ => mask.clone(),
    };
    let shape = importer.shape_of(&mask);
    let given = shape.last().copied().unwrap_or(1);
    if given == 1 || given >= keys {
        return Ok((mask, None));
    }
    let mut pads = vec![0; 2 * shape.len()];
    pads[2 * shape.len() - 1] = i64::try_from(keys - given).unwrap_or(i64::MAX);
    if mask.is_constant() {
        let fill = Mode::Constant(f64::from(f32::MIN));
        return Ok((padded(node, importer, &mask, &pads, fill)?, None));
    }
    let padded = padded(node, importer, &mask, &pads, Mode::Constant(0.0))?;
    let numbers = (0..keys).map(|key| if key < given { 0.0 } else { f64::NEG_INFINITY });
    let beyond = Constant::reals(vec![1, 1, 1, keys], numbers.collect());
    Ok((padded, (!is_boolean).then_some(beyond)))
}

/// 0 for each query that may look at nothing, else 1; `None` where there is no such query.
fn attending_rows(bias: &Constant, [batch, heads, queries, keys]: [usize; 4]) -> Option<Constant> {
    let full = bias.broadcast(&[batch, heads, queries, keys]).to_reals();
    let lowest = f64::from(f32::MIN);
    let attends = |row: &[f64]| if row.iter().all(|&x| x <= lowest) { 0.0 } else { 1.0 };
    let rows: Vec<f64> = full.chunks(keys).map(attends).collect();
    rows.contains(&0.0).then(|| Constant::reals(vec![batch, heads, queries, 1], rows))
}

/// The cosines or sines of a rotary embedding, operand `index`: `[batch, 1, length, half]`.
fn angles(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    index: usize,
    [batch, length, half]: [usize; 3],
) -> Result<Value, ImportError> {
    let table = node.operand(index)?;
    let table = match node.optional(3) {
        None => table.clone(),
        Some(_) => looked_up(node, importer, table, [batch, length])?,
    };
    let shape = importer.shape_of(&table);
    if shape.last() != Some(&half) || shape.iter().product::<usize>() != batch * length * half {
        return Err(node.wrong_shape("angles for each place", &[&shape]));
    }
    importer.reshaped(node, &table, vec![batch, 1, length, half])
}

/// `RotaryEmbedding`: pairs of elements turned by constant or computed angles.
fn rotary_embedding(node: &OnnxNode<'_>, importer: &mut Importer) -> Lowered {
    let interleaved = node.flag("interleaved", false)?;
    let input = node.operand(0)?;
    let original = importer.shape_of(input);
    let heads = node.int("num_heads")?.filter(|&heads| heads > 0);
    let input = match original.len() {
        3 => split_heads(node, importer, input, heads)?,
        _ => input.clone(),
    };
    let [batch, _, length, size] = importer.shape_of(&input)[..] else {
        return Err(node.wrong_shape("three or four dimensions", &[&original]));
    };
    let turned = node.int("rotary_embedding_dim")?.and_then(|n| usize::try_from(n).ok());
    let turned = turned.filter(|&n| n > 0).unwrap_or(size);
    if turned > size || turned % 2 != 0 {
        return Err(node.wrong_attribute("rotary_embedding_dim", "even and at most the size"));
    }
    let half = turned / 2;
    let cos = angles(node, importer, 1, [batch, length, half])?;
    let sin = angles(node, importer, 2, [batch, length, half])?;
    let places = |part: usize| -> Vec<usize> {
        if interleaved {
            (0..half).map(|i| 2 * i + part).collect()
        } else {
            (part * half..(part + 1) * half).collect()
        }
    };
    let shape = importer.shape_of(&input);
    let mut picked = |places: Vec<usize>| {
        let mut axes: Vec<Vec<usize>> = shape.iter().map(|&n| (0..n).collect()).collect();
        axes[3] = places;
        importer.picked(node, &input, &axes)
    };
    let (first, second) = (picked(places(0))?, picked(places(1))?);
    let rest = if turned < size { Some(picked((turned..size).collect())?) } else { None };
    let product = |importer: &mut Importer, a: &Value, b: &Value| importer.product(node, a, b);
    let (a, b) = (product(importer, &first, &cos)?, product(importer, &second, &sin)?);
    let real = importer.sub(node, &a, &b)?;
    let (a, b) = (product(importer, &first, &sin)?, product(importer, &second, &cos)?);
    let imaginary = importer.add(node, &a, &b)?;
    let both = importer.joined(node, &[real, imaginary], 3)?;
    // Back to the places from which the parts were taken.
    let order = [places(0), places(1)].concat();
    let mut back = vec![0; turned];
    order.iter().enumerate().for_each(|(from, &to)| back[to] = from);
    let mut axes: Vec<Vec<usize>> = shape.iter().map(|&n| (0..n).collect()).collect();
    axes[3] = back;
    let mut result = importer.picked(node, &both, &axes)?;
    if let Some(rest) = rest {
        result = importer.joined(node, &[result, rest], 3)?;
    }
    if original.len() == 3 {
        let together = importer.transposed(node, &result, &[0, 2, 1, 3])?;
        result = importer.reshaped(node, &together, original)?;
    }
    Ok(vec![result])
}

/// The rows of a table at constant positions.
fn looked_up(
    node: &OnnxNode<'_>,
    importer: &mut Importer,
    table: &Value,
    [batch, length]: [usize; 2],
) -> Result<Value, ImportError> {
    let shape = importer.shape_of(table);
    let positions = super::movement::sizes(node, 3)?;
    let [rows, width] = shape[..] else {
        return Err(node.wrong_shape("a row for each position", &[&shape]));
    };
    if positions.len() != batch * length || positions.iter().any(|&row| row >= rows) {
        return Err(node.wrong_operand(3, "positions within the table"));
    }
    importer.picked(node, table, &[positions, (0..width).collect()])
}
