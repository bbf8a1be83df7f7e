//! Builds small ONNX files.

use prost::Message as _;

#[path = "../../src/onnx/proto.rs"]
pub(crate) mod proto;

use proto::{
    AttributeProto, AttributeType, DataType, Dim, DimensionProto, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto,
};

/// An ONNX model under construction; `proto` may be damaged at will.
#[derive(Clone)]
pub(crate) struct Builder {
    pub(crate) proto: ModelProto,
}

impl Builder {
    pub(crate) fn new(opset: i64) -> Self {
        let opset = OperatorSetIdProto { domain: String::new(), version: opset };
        let proto = ModelProto {
            ir_version: 8,
            opset_import: vec![opset],
            graph: Some(GraphProto::default()),
            ..ModelProto::default()
        };
        Self { proto }
    }

    pub(crate) fn graph(&mut self) -> &mut GraphProto {
        self.proto.graph.as_mut().unwrap()
    }

    pub(crate) fn input(mut self, name: &str, shape: &[i64]) -> Self {
        self.graph().input.push(value_info(name, shape));
        self
    }

    pub(crate) fn output(mut self, name: &str) -> Self {
        self.graph().output.push(value_info(name, &[]));
        self.graph().output.last_mut().unwrap().r#type = None;
        self
    }

    pub(crate) fn reals(mut self, name: &str, shape: &[i64], data: &[f32]) -> Self {
        self.graph().initializer.push(TensorProto {
            name: name.to_owned(),
            dims: shape.to_vec(),
            data_type: DataType::Float as i32,
            raw_data: data.iter().flat_map(|x| x.to_le_bytes()).collect(),
            ..TensorProto::default()
        });
        self
    }

    /// A constant with pseudo-random elements in −1 to 1.
    pub(crate) fn random(self, name: &str, shape: &[i64]) -> Self {
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
        self.reals(name, shape, &noise(name, count))
    }

    pub(crate) fn integers(self, name: &str, data: &[i64]) -> Self {
        self.ints_shaped(name, &[i64::try_from(data.len()).unwrap()], data)
    }

    pub(crate) fn ints_shaped(mut self, name: &str, shape: &[i64], data: &[i64]) -> Self {
        self.graph().initializer.push(TensorProto {
            name: name.to_owned(),
            dims: shape.to_vec(),
            data_type: DataType::Int64 as i32,
            int64_data: data.to_vec(),
            ..TensorProto::default()
        });
        self
    }

    pub(crate) fn node(
        mut self,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[AttributeProto],
    ) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.graph().node.push(NodeProto {
            name: format!("{op}_{}", outputs.first().unwrap_or(&"none")),
            op_type: op.to_owned(),
            input: owned(inputs),
            output: owned(outputs),
            attribute: attributes.to_vec(),
            ..NodeProto::default()
        });
        self
    }

    /// Another operator set.
    pub(crate) fn set(mut self, domain: &str, version: i64) -> Self {
        self.proto.opset_import.push(OperatorSetIdProto { domain: domain.to_owned(), version });
        self
    }

    /// A node of another domain.
    pub(crate) fn domain_node(
        self,
        domain: &str,
        op: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[AttributeProto],
    ) -> Self {
        let mut model = self.node(op, inputs, outputs, attributes);
        if let Some(node) = model.graph().node.last_mut() {
            node.domain = domain.to_owned();
        }
        model
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }
}

pub(crate) fn value_info(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |&size: &i64| DimensionProto { value: Some(Dim::Value(size)) };
    let tensor = TensorTypeProto {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: shape.iter().map(dim).collect() }),
    };
    let r#type = Some(TypeProto { tensor_type: Some(tensor) });
    ValueInfoProto { name: name.to_owned(), r#type }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: kind as i32, ..AttributeProto::default() }
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: value, ..attribute(name, AttributeType::Int) }
}

pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

pub(crate) fn floats(name: &str, values: &[f32]) -> AttributeProto {
    AttributeProto { floats: values.to_vec(), ..attribute(name, AttributeType::Floats) }
}

pub(crate) fn texts(name: &str, values: &[&str]) -> AttributeProto {
    let strings = values.iter().map(|value| value.as_bytes().to_vec()).collect();
    AttributeProto { strings, ..attribute(name, AttributeType::Strings) }
}

pub(crate) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: value, ..attribute(name, AttributeType::Float) }
}

pub(crate) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: value.as_bytes().to_vec(), ..attribute(name, AttributeType::String) }
}

/// Pseudo-random numbers in −1 to 1, the same for the same name.
pub(crate) fn noise(name: &str, count: usize) -> Vec<f32> {
    let mut state = name.bytes().fold(0x9e37_79b9_7f4a_7c15u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(state >> 48).unwrap()) / 32_768.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
