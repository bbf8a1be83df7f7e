//! The ICICLE device on a library with its interface (`examples/mock_icicle`): loading, the
//! layouts of structures, errors by their names, and whole proofs, which must be the processor's.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod mock;
mod random_circuit;
mod srs;

use std::{
    env,
    ffi::CString,
    fs,
    path::Path,
    process::Command,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use halo2_proofs::{halo2curves::bn256::Fr, transcript::TranscriptWriterBuffer};
use libloading::Library;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use random_circuit::{Kind, RandomCircuit};
use srs::Srs;
use zkinfer_engine::{
    Device, DeviceError, EngineError, EngineKey, ProofTranscript,
    icicle::{self, IcicleOptions},
};

const K: u32 = 6;

/// The library, built as this test is, and a folder where it has the names that are looked for.
struct Mock {
    folder: tempfile::TempDir,
    library: Library,
}

/// One test at a time sets the faults of the library.
static MOCK: LazyLock<Mutex<Mock>> = LazyLock::new(|| {
    let path = mock::library();
    let folder = mock::folder_with(&path);
    // SAFETY: the library was just built from this crate.
    #[expect(unsafe_code, reason = "a shared library")]
    let library = unsafe { Library::new(&path) }.unwrap();
    Mutex::new(Mock { folder, library })
});

impl Mock {
    /// The library without faults, for one test.
    fn new() -> MutexGuard<'static, Self> {
        let mock = MOCK.lock().unwrap_or_else(PoisonError::into_inner);
        mock.set_faults("");
        mock
    }

    #[expect(unsafe_code, reason = "a shared library")]
    fn set_faults(&self, faults: &str) {
        let faults = CString::new(faults).unwrap();
        type Set = unsafe extern "C" fn(*const std::ffi::c_char);
        // SAFETY: the signature is that of the example.
        unsafe { self.library.get::<Set>(b"mock_icicle_faults").unwrap()(faults.as_ptr()) };
    }

    #[expect(unsafe_code, reason = "a shared library")]
    fn used(&self) -> usize {
        // SAFETY: the signature is that of the example.
        unsafe { self.library.get::<extern "C" fn() -> usize>(b"mock_icicle_used").unwrap()() }
    }

    fn options(&self) -> IcicleOptions {
        options(self.folder.path())
    }
}

fn options(folder: &Path) -> IcicleOptions {
    IcicleOptions { folder: Some(folder.to_owned()), kind: "CPU".to_owned() }
}

fn key(
    srs: &Srs,
    circuit: &RandomCircuit,
    device: &Device,
) -> Result<EngineKey<RandomCircuit>, EngineError> {
    let blank = RandomCircuit { known: false, ..circuit.clone() };
    EngineKey::new(&blank, &srs.lagrange, srs.first_powers(), device)
}

fn prove(key: &EngineKey<RandomCircuit>, circuit: &RandomCircuit) -> Result<Vec<u8>, EngineError> {
    let (mut transcript, mut rng) =
        (ProofTranscript::init(Vec::new()), ChaCha20Rng::seed_from_u64(7));
    let instance = circuit.instance();
    let instance: Vec<&[Fr]> = instance.iter().map(|column| &column[..]).collect();
    key.prove(circuit, &instance, &mut rng, &mut transcript, &|_| ())?;
    Ok(transcript.finalize())
}

fn device_error(error: EngineError) -> DeviceError {
    match error {
        EngineError::Device(error) => error,
        other => panic!("{other}"),
    }
}

/// Everything that an argument has, and a circuit of gates alone.
fn kinds() -> [Kind; 3] {
    let gates = Kind { seed: 1, inputs: 3, gates: 2, degree: 3, ..Kind::default() };
    let all = Kind {
        seed: 9,
        inputs: 5,
        gates: 3,
        late_gates: 2,
        degree: 5,
        instances: 2,
        lookups: 2,
        copies: 15,
        weights: 20,
    };
    [gates, all, Kind { seed: 10, degree: 4, ..all }]
}

/// What a key says it needs where there is next to nothing.
fn least_memory(mock: &Mock, srs: &Srs, circuit: &RandomCircuit) -> u64 {
    mock.set_faults("memory=100000");
    match device_error(key(srs, circuit, &Device::Icicle(mock.options())).unwrap_err()) {
        DeviceError::OutOfMemory { device: "icicle", needed, available } => {
            assert!(needed > available && available <= 100_000, "{needed}, {available}");
            needed
        }
        other => panic!("{other}"),
    }
}

#[test]
fn proofs_are_the_processors() {
    let mock = Mock::new();
    let larger = Srs::new(K + 1);
    let srs = Srs::new(K);
    for (kind, srs) in kinds().into_iter().map(|kind| (kind, &srs)).chain([(kinds()[0], &larger)]) {
        let circuit = RandomCircuit::honest(kind);
        let ours = key(srs, &circuit, &Device::default()).unwrap();
        // Enough for all columns of the key on the cosets, and what the plan says is the least.
        for memory in [1 << 30, least_memory(&mock, srs, &circuit)] {
            mock.set_faults(&format!("memory={memory}"));
            let theirs = key(srs, &circuit, &Device::Icicle(mock.options())).unwrap();
            let pinned = |key: &EngineKey<_>| format!("{:?}", key.verifying_key().pinned());
            assert_eq!(pinned(&theirs), pinned(&ours), "{kind:?}");
            for _ in 0..2 {
                let proof = prove(&theirs, &circuit).unwrap();
                assert!(proof == prove(&ours, &circuit).unwrap(), "{kind:?}");
            }
            assert!(mock.used() > 0);
            let usage = theirs.usage().unwrap();
            assert!(usage.operations > usage.host_operations, "{usage:?}");
            assert!(usage.uploaded_bytes > usage.downloaded_bytes, "{usage:?}");
        }
        assert_eq!(mock.used(), 0, "a key that is gone holds memory of the device");
    }
}

#[test]
fn a_circuit_that_does_not_fit_is_refused_with_figures() {
    let mock = Mock::new();
    let (srs, circuit) = (Srs::new(K), RandomCircuit::honest(kinds()[1]));
    assert!(least_memory(&mock, &srs, &circuit) > 100_000);
    assert_eq!(mock.used(), 0);
}

#[test]
fn a_device_that_fails_in_a_proof_is_named() {
    let mock = Mock::new();
    let (srs, circuit) = (Srs::new(K), RandomCircuit::honest(kinds()[1]));
    let key = key(&srs, &circuit, &Device::Icicle(mock.options())).unwrap();
    let proof = prove(&key, &circuit).unwrap();
    let failed = |operation, reason: &str| DeviceError::Failed {
        device: "icicle",
        operation,
        reason: reason.to_owned(),
    };
    for (fault, expected) in [
        ("bn254_msm=10", failed("a sum of points", "this backend cannot do it")),
        ("bn254_ntt=3", failed("a transform", "a pointer is not one of the device's")),
        ("bn254_vector_mul=99", failed("an operation on vectors", "error 99")),
        ("icicle_copy_to_device=6", failed("copying to the device", "copying failed")),
        ("icicle_set_device=1", failed("choosing the device", "the device is not there")),
    ] {
        mock.set_faults(fault);
        assert_eq!(device_error(prove(&key, &circuit).unwrap_err()), expected, "{fault}");
    }
    // Numbers that are no field elements are not taken for some.
    mock.set_faults("icicle_copy_to_host=wrong");
    let error = device_error(prove(&key, &circuit).unwrap_err()).to_string();
    assert!(error.contains("a number that is no field element"), "{error}");
    mock.set_faults("");
    assert!(prove(&key, &circuit).unwrap() == proof, "the key is as good as before");
}

#[test]
fn what_cannot_be_used_says_why() {
    let mock = Mock::new();
    let (srs, circuit) = (Srs::new(K), RandomCircuit::honest(kinds()[0]));
    let refused = |options| {
        let error = key(&srs, &circuit, &Device::Icicle(options)).unwrap_err();
        device_error(error).to_string()
    };
    for (fault, expected) in [
        ("icicle_malloc=13", "its licence was refused (allocating memory)"),
        ("icicle_is_device_available=1", "the device is not there"),
        ("icicle_get_registered_devices=12", "its backend could not be loaded"),
    ] {
        mock.set_faults(fault);
        let said = refused(mock.options());
        assert!(said.contains(expected), "{fault}: {said}");
    }
    mock.set_faults("");
    let said = refused(IcicleOptions { kind: "METAL".to_owned(), ..mock.options() });
    assert!(said.contains("no backend for METAL: its libraries know CPU, MOCK"), "{said}");
    let said = refused(IcicleOptions { kind: String::new(), ..mock.options() });
    assert!(said.contains("\"\" is no name of a device"), "{said}");

    let empty = tempfile::tempdir().unwrap();
    let said = refused(options(empty.path()));
    assert!(said.contains("there is no libicicle_device.so in"), "{said}");
    fs::write(empty.path().join("libicicle_device.so"), "no library").unwrap();
    let said = refused(options(empty.path()));
    assert!(said.contains("cannot be loaded"), "{said}");
    let other = mock::folder_with(&env::current_exe().unwrap());
    let said = refused(options(other.path()));
    assert!(said.contains("cannot be loaded"), "{said}");
}

#[test]
fn a_wrong_result_of_any_function_is_found_before_it_is_trusted() {
    let mock = Mock::new();
    let (srs, circuit) = (Srs::new(K), RandomCircuit::honest(kinds()[0]));
    for function in [
        "bn254_ntt",
        "bn254_msm",
        "bn254_vector_add",
        "bn254_vector_sub",
        "bn254_vector_mul",
        "bn254_vector_inv",
        "bn254_vector_sum",
        "bn254_scalar_add_vec",
        "bn254_scalar_mul_vec",
        "bn254_scalar_convert_montgomery",
    ] {
        mock.set_faults(&format!("{function}=wrong"));
        let error = key(&srs, &circuit, &Device::Icicle(mock.options())).unwrap_err();
        let error = device_error(error).to_string();
        assert!(error.contains("the self-test found a wrong result"), "{function}: {error}");
    }
}

/// The process of the next test: prints what the device says, where it is asked to.
#[test]
fn child_that_reports() {
    if let Some(folder) = env::var_os("ICICLE_TEST_FOLDER") {
        println!("\n{}", icicle::report(&options(Path::new(&folder))));
    }
}

#[test]
fn a_library_that_ends_its_process_ends_only_the_probe() {
    let mock = Mock::new();
    let probe = |faults: &str| {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["child_that_reports", "--exact", "--nocapture"]);
        child.env("ICICLE_TEST_FOLDER", mock.folder.path()).env("MOCK_ICICLE", faults);
        icicle::probe(&mut child)
    };
    let found = probe("memory=1000000").unwrap();
    assert!(found.free_bytes > 900_000, "{found:?}");
    let refused = |faults| probe(faults).unwrap_err().to_string();
    let said = refused("bn254_msm=abort");
    assert!(said.contains("its library ended the process of the self-test"), "{said}");
    let said = refused("icicle_malloc=13");
    assert!(said.contains("its licence was refused"), "{said}");
    let missing = icicle::probe(&mut Command::new("/nonexistent")).unwrap_err().to_string();
    assert!(missing.contains("its self-test cannot be started"), "{missing}");
}
