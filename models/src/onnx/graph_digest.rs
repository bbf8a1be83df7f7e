//! The digest of a graph: the same for every file that holds it.
//!
//! A value's digest is made from what computes it, so neither the names of nodes and inner values,
//! nor the order of nodes, nor what nothing reads, nor where a constant is stored are part of it;
//! operator set, operations, attributes, constants, and names and types of inputs and outputs are.
//! `docs/formats.md` has the bytes.

use std::collections::HashMap;

use prost::Message as _;

use super::constant::{Constant, Data};
use super::error::ImportError;
use super::functions::FlatNode;
use super::input::Input;
use super::limits::Budget;
use super::order::dependency_order;
use super::proto::{AttributeProto, AttributeType, DataType, GraphProto, TensorProto, TypeProto};
use crate::digest::keccak256;

type Bytes = [u8; 32];

/// The digest of a graph, with the bodies of functions in place and the inputs as resolved.
pub(super) fn graph_digest(
    graph: &GraphProto,
    nodes: &[FlatNode<'_>],
    inputs: &[Input],
) -> Result<Bytes, ImportError> {
    let mut values = Values { digests: HashMap::new(), budget: Budget::of(graph) };
    for tensor in &graph.initializer {
        let digest = values.tensor(tensor)?;
        values.digests.insert(tensor.name.clone(), digest);
    }
    let mut whole = Preimage::new("graph");
    whole.length(inputs.len());
    for input in inputs {
        let digest = input_digest(graph, input);
        whole.digest(&digest);
        values.digests.insert(input.name.clone(), digest);
    }
    for position in dependency_order(nodes)? {
        values.add_node(&nodes[position])?;
    }
    whole.length(graph.output.len());
    for output in &graph.output {
        whole.text(&output.name);
        whole.digest(&values.of(&output.name));
    }
    Ok(whole.finish())
}

struct Values {
    digests: HashMap<String, Bytes>,
    budget: Budget,
}

impl Values {
    /// A name that nothing defines, which no importable graph has, stands for itself.
    fn of(&self, name: &str) -> Bytes {
        let undefined = || {
            let mut preimage = Preimage::new("undefined");
            preimage.text(name);
            preimage.finish()
        };
        self.digests.get(name).copied().unwrap_or_else(undefined)
    }

    fn add_node(&mut self, node: &FlatNode<'_>) -> Result<(), ImportError> {
        if let ("Constant", [(_, AttributeProto { t: Some(tensor), .. })], [output]) =
            (node.op, &node.attributes[..], &node.output[..])
        {
            let digest = self.tensor(tensor)?;
            self.digests.insert(output.clone(), digest);
            return Ok(());
        }
        let mut preimage = Preimage::new("node");
        preimage.text(if node.domain == "ai.onnx" { "" } else { node.domain });
        preimage.integer(node.opset);
        preimage.text(node.op);
        let mut attributes = node.attributes.clone();
        attributes.sort_by_key(|(name, _)| *name);
        preimage.length(attributes.len());
        for (name, attribute) in attributes {
            preimage.text(name);
            self.attribute(&mut preimage, attribute)?;
        }
        // Inputs that are left out at the end may be listed as empty names.
        let given = node.input.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1);
        preimage.length(given);
        for name in &node.input[..given] {
            let digest = if name.is_empty() { [0; 32] } else { self.of(name) };
            preimage.digest(&digest);
        }
        // What a graph inside the node may read of the values around it.
        if !node.captured.is_empty() {
            preimage.length(node.captured.len());
            for name in &node.captured {
                preimage.text(name);
                preimage.digest(&self.of(name));
            }
        }
        let node_digest = preimage.finish();
        for (index, output) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let mut preimage = Preimage::new("value");
            preimage.digest(&node_digest);
            preimage.length(index);
            self.digests.insert(output.clone(), preimage.finish());
        }
        Ok(())
    }

    fn attribute(
        &mut self,
        preimage: &mut Preimage,
        attribute: &AttributeProto,
    ) -> Result<(), ImportError> {
        preimage.integer(attribute.r#type.into());
        match attribute.r#type() {
            AttributeType::Float => preimage.0.extend(attribute.f.to_bits().to_be_bytes()),
            AttributeType::Int => preimage.integer(attribute.i),
            AttributeType::String => preimage.bytes(&attribute.s),
            AttributeType::Tensor => {
                let tensor = attribute.t.as_deref();
                let digest = tensor.map_or(Ok([0; 32]), |tensor| self.tensor(tensor))?;
                preimage.digest(&digest);
            }
            AttributeType::Floats => {
                preimage.length(attribute.floats.len());
                let floats = attribute.floats.iter();
                preimage.0.extend(floats.flat_map(|value| value.to_bits().to_be_bytes()));
            }
            AttributeType::Ints => {
                preimage.length(attribute.ints.len());
                attribute.ints.iter().for_each(|&value| preimage.integer(value));
            }
            AttributeType::Strings => {
                preimage.length(attribute.strings.len());
                attribute.strings.iter().for_each(|value| preimage.bytes(value));
            }
            // Of these only graphs are imported, with the names that they have.
            AttributeType::Undefined
            | AttributeType::Graph
            | AttributeType::Tensors
            | AttributeType::Graphs
            | AttributeType::SparseTensor
            | AttributeType::SparseTensors
            | AttributeType::TypeProto
            | AttributeType::TypeProtos => preimage.bytes(&attribute.encode_to_vec()),
        }
        Ok(())
    }

    /// A constant, wherever and however its elements are stored.
    fn tensor(&mut self, tensor: &TensorProto) -> Result<Bytes, ImportError> {
        let mut preimage = Preimage::new("tensor");
        preimage.integer(tensor.data_type.into());
        if tensor.data_type == DataType::String as i32 {
            preimage.length(tensor.dims.len());
            tensor.dims.iter().for_each(|&dimension| preimage.integer(dimension));
            tensor.string_data.iter().for_each(|text| preimage.bytes(text));
            return Ok(preimage.finish());
        }
        let constant = Constant::decode_with_nan(tensor, &tensor.name, &mut self.budget)?;
        preimage.length(constant.shape.len());
        constant.shape.iter().for_each(|&dimension| preimage.length(dimension));
        match constant.data {
            Data::Real(data) => {
                preimage.0.extend(data.iter().flat_map(|value| value.to_bits().to_be_bytes()));
            }
            Data::Integer(data) => data.iter().for_each(|&value| preimage.integer(value)),
        }
        Ok(preimage.finish())
    }
}

fn input_digest(graph: &GraphProto, input: &Input) -> Bytes {
    let declared = graph.input.iter().find(|declared| declared.name == input.name);
    let declared = declared.and_then(|declared| declared.r#type.as_ref());
    let tensor = declared.and_then(|TypeProto { tensor_type }| tensor_type.as_ref());
    let mut preimage = Preimage::new("input");
    preimage.text(&input.name);
    preimage.integer(tensor.map_or(0, |tensor| tensor.elem_type).into());
    preimage.length(input.shape.len());
    input.shape.iter().for_each(|&dimension| preimage.length(dimension));
    let fixed = input.fixed.as_deref().unwrap_or_default();
    preimage.length(fixed.len());
    preimage.0.extend(fixed.iter().flat_map(|value| value.to_bits().to_be_bytes()));
    preimage.finish()
}

/// What is hashed: a tag, then fields whose ends are known from what stands before them.
struct Preimage(Vec<u8>);

impl Preimage {
    fn new(tag: &str) -> Self {
        let mut preimage = Self(Vec::new());
        preimage.text("zkinfer.graph.v1");
        preimage.text(tag);
        preimage
    }

    fn integer(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    fn length(&mut self, length: usize) {
        self.0.extend((length as u64).to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn digest(&mut self, digest: &Bytes) {
        self.0.extend(digest);
    }

    fn finish(self) -> Bytes {
        keccak256(&[&self.0])
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::OnnxFile;
    use super::super::options::ImportOptions;
    use super::super::proto::{ModelProto, NodeProto};
    use super::super::{functions, input, sets, table};
    use super::*;

    fn model() -> ModelProto {
        let bytes = include_bytes!("../../zoo/digits_mlp/model.onnx");
        ModelProto::decode(&bytes[..]).unwrap()
    }

    fn digest(model: &ModelProto) -> Bytes {
        let sets = sets::operator_sets(model).unwrap();
        let nodes = functions::inline(model, &sets, table::is_known).unwrap();
        let graph = model.graph.as_ref().unwrap();
        let declared = input::declared_inputs(graph).unwrap();
        let inputs = input::resolve(&declared, &ImportOptions::default(), &mut Vec::new());
        graph_digest(graph, &nodes, &inputs).unwrap()
    }

    fn after(edit: impl FnOnce(&mut GraphProto)) -> Bytes {
        let mut model = model();
        edit(model.graph.as_mut().unwrap());
        digest(&model)
    }

    #[test]
    fn an_imported_graph_has_its_digest() {
        let bytes = include_bytes!("../../zoo/digits_mlp/model.onnx");
        let file = OnnxFile::from_single(bytes).unwrap();
        let graph = file.import(&ImportOptions::default()).unwrap();
        assert_eq!(graph.digest(), after(|_| ()));
    }

    fn renamed(graph: &mut GraphProto, from: &str, to: &str) {
        let values =
            graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        values.filter(|name| *name == from).for_each(|name| *name = to.to_owned());
        let tensors = graph.initializer.iter_mut().filter(|tensor| tensor.name == from);
        tensors.for_each(|tensor| tensor.name = to.to_owned());
    }

    /// What other tools change when they save a model again.
    #[test]
    fn a_model_that_was_saved_again_is_the_same_graph() {
        let honest = after(|_| ());
        assert_eq!(after(|graph| graph.name.push('x')), honest, "name of the graph");
        assert_eq!(after(|graph| graph.initializer.reverse()), honest, "order of constants");
        let inner = |graph: &GraphProto| graph.node[0].output[0].clone();
        assert_eq!(
            after(|graph| {
                let name = inner(graph);
                renamed(graph, &name, "renamed");
                graph.node[0].name.push('x');
                graph.node.reverse();
            }),
            honest,
            "names and order of nodes"
        );
        let unread = |graph: &mut GraphProto| {
            let mut tensor = graph.initializer[0].clone();
            tensor.name = "unread".to_owned();
            graph.initializer.push(tensor);
        };
        assert_eq!(after(unread), honest, "what nothing reads");
        let as_node = |graph: &mut GraphProto| {
            let tensor = graph.initializer.remove(0);
            let attribute = AttributeProto {
                name: "value".to_owned(),
                r#type: AttributeType::Tensor.into(),
                t: Some(Box::new(tensor.clone())),
                ..AttributeProto::default()
            };
            graph.node.insert(
                0,
                NodeProto {
                    op_type: "Constant".to_owned(),
                    output: vec![tensor.name],
                    attribute: vec![attribute],
                    ..NodeProto::default()
                },
            );
        };
        assert_eq!(after(as_node), honest, "a constant as a node");
    }

    #[test]
    fn a_model_that_computes_something_else_is_another_graph() {
        let honest = after(|_| ());
        let last = |graph: &mut GraphProto| graph.node.len() - 1;
        let edits: [(&str, Bytes); 5] = [
            (
                "weight",
                after(|graph| {
                    let tensor = &mut graph.initializer[0];
                    if let Some(byte) = tensor.raw_data.first_mut() {
                        *byte ^= 1;
                    } else {
                        tensor.float_data[0] += 1.0;
                    }
                }),
            ),
            (
                "operation",
                after(|graph| {
                    let last = last(graph);
                    graph.node[last].op_type.push('x');
                }),
            ),
            (
                "attribute",
                after(|graph| {
                    let attribute =
                        AttributeProto { name: "x".to_owned(), ..AttributeProto::default() };
                    graph.node[0].attribute.push(attribute);
                }),
            ),
            (
                "input name",
                after(|graph| {
                    let name = graph.input[0].name.clone();
                    renamed(graph, &name, "other");
                    graph.input[0].name = "other".to_owned();
                }),
            ),
            ("operator set", {
                let mut model = model();
                model.opset_import[0].version += 1;
                digest(&model)
            }),
        ];
        for (what, digest) in edits {
            assert_ne!(digest, honest, "{what}");
        }
    }
}
