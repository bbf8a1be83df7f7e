// What the examples in the crate's pages begin with: a model of the zoo, proven once for a job.

/// Where everything lies.
pub struct Example {
    _folder: tempfile::TempDir,
    pub model: std::path::PathBuf,
    pub samples: std::path::PathBuf,
    pub input: std::path::PathBuf,
    pub key: std::path::PathBuf,
    pub proof: std::path::PathBuf,
}

/// The model's files in a folder of their own.
pub fn files() -> Example {
    let zoo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["model.onnx", "samples.npz", "input.json"] {
        std::fs::copy(zoo.join(name), path(name)).unwrap();
    }
    Example {
        model: path("model.onnx"),
        samples: path("samples.npz"),
        input: path("input.json"),
        key: path("model.zkvk"),
        proof: path("model.zkproof"),
        _folder: folder,
    }
}

/// With a key, its settings and report, and a proof of the input for payee 9…9.
pub fn proven() -> Result<Example, zkinfer::Error> {
    let example = files();
    let model = zkinfer::Model::open(&example.model)?;
    let samples = Some(zkinfer::InputData::read_samples(&example.samples)?);
    let recipe = zkinfer::Recipe { samples, ..zkinfer::Recipe::default() };
    let files = zkinfer::KeyFiles::beside_model(&example.model);
    let mut quantized = model.quantize(&recipe, &files.settings, &[])?;
    let accuracy = zkinfer::measure_accuracy(&model, &mut quantized, None)?;
    let device = zkinfer::Device::default();
    let keys = zkinfer::Keys::make(&model, &quantized, None, &device, &|_| ())?;
    files.store(&keys, &quantized.settings, accuracy.as_ref().map(|found| &found.report))?;
    let run = model.run(&quantized, &model.read_input(&example.input)?)?;
    let job = zkinfer::verifier::JobBinding {
        chain_id: 1,
        job_id: [7; 32],
        payee: [9; 20],
        expiry: 0,
        nonce: 1,
    };
    let proven = keys.prove(zkinfer::Inference::new(&run.execution, job), &|_| ())?;
    zkinfer::write_proof(&proven, &example.proof, &example.proof.with_extension("zkopening"))?;
    Ok(example)
}
