//! The device on emulated kernels, against the processor.

use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use halo2_proofs::{
    arithmetic::best_multiexp,
    halo2curves::{
        bn256::{Bn256, Fr, G1Affine},
        ff::{Field, PrimeField},
        group::Curve,
    },
    poly::{
        EvaluationDomain,
        commitment::{Blind, Params, ParamsProver},
        kzg::commitment::ParamsKZG,
    },
    transcript::TranscriptWriterBuffer,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::{
    CudaOptions,
    accelerator::{Accelerator, Grid, Kernel, MemorySize, SOURCES},
    columns::{self, CudaColumn},
    emulator::Emulator,
    key_on,
    machine::Machine,
    selftest,
    sums::{Bases, Layout},
    transform::Domain,
};
use crate::{
    Device, EngineKey, ProofTranscript,
    assembly::lay_out,
    column::{Column, TableSums, integer},
    cosets::root_of_unity,
    error::{DeviceError, EngineError},
};

#[path = "../../tests/random_circuit/mod.rs"]
mod random_circuit;

use random_circuit::{Kind, RandomCircuit};

/// Memory of the emulated machine.
const BYTES: usize = 1 << 30;

fn machine() -> Machine {
    Machine::new(Box::new(Emulator::new(BYTES)), BYTES)
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn random(count: usize, seed: u64) -> Vec<Fr> {
    let mut rng = rng(seed);
    (0..count).map(|_| Fr::random(&mut rng)).collect()
}

/// Points of which some are equal, opposite or infinite.
fn points(count: usize) -> Vec<G1Affine> {
    let mut rng = rng(1);
    let some: Vec<G1Affine> = (0..6).map(|_| G1Affine::random(&mut rng)).collect();
    let all = [some.clone(), some.iter().map(|p| -p).collect(), vec![G1Affine::default()]];
    all.concat().into_iter().cycle().take(count).collect()
}

#[test]
fn kernels_pass_the_self_test() {
    selftest::run(&machine()).unwrap();
}

/// A GPU's compiler once gave the carry of a chain the register of a limb that was zero like it: the
/// chain then read what it had written. What a chain writes must be marked as written early.
#[test]
fn chains_of_carries_share_no_registers() {
    let constraints: Vec<&str> = SOURCES
        .split('"')
        .filter(|text| text.starts_with(['+', '=']) && text.ends_with('r'))
        .collect();
    assert!(constraints.len() > 40, "the chains were found");
    assert!(constraints.iter().all(|text| text.contains('&')), "{constraints:?}");
}

#[test]
fn transforms_agree_with_the_polynomials() {
    let machine = machine();
    for k in [1, 2, 5, 9, 10, 11, 13] {
        let size = 1 << k;
        let omega = root_of_unity(k);
        let domain = Domain::new(&machine, k, omega).unwrap();
        let shift = Fr::MULTIPLICATIVE_GENERATOR;
        let coset = domain.coset(shift).unwrap();
        let coefficients = random(size, 3);
        let reversed: Vec<Fr> =
            (0..size).map(|i| coefficients[i.reverse_bits() >> (usize::BITS - k)]).collect();
        let value = |x: Fr| coefficients.iter().rev().fold(Fr::ZERO, |sum, c| sum * x + c);
        for (coset, shift) in [(None, Fr::ONE), (Some(&coset), shift)] {
            let from = machine.upload_elements(&reversed).unwrap();
            let to = machine.elements(size).unwrap();
            domain.evaluate(&[from.address()], &[to.address()], coset).unwrap();
            let values = machine.read_elements(&to, 0, size).unwrap();
            for i in [0, 1, size / 2, size - 1] {
                assert_eq!(values[i], value(shift * omega.pow_vartime([i as u64])), "{k} {i}");
            }
            domain.interpolate(&[to.address()], &[to.address()], coset).unwrap();
            assert_eq!(machine.read_elements(&to, 0, size).unwrap(), reversed);
        }
    }
}

/// Scalars at the ends of digits and of the range.
fn edges() -> Vec<Fr> {
    let half = Fr::TWO_INV;
    let powers = (0..254).flat_map(|i| {
        let power = Fr::from(2).pow_vartime([i]);
        [power, -power, power - Fr::ONE]
    });
    [Fr::ZERO, Fr::ONE, -Fr::ONE, half, -half, half - Fr::ONE].into_iter().chain(powers).collect()
}

#[test]
fn commitments_are_sums_of_multiples() {
    let machine = machine();
    for (rows, sets) in [(16, 1), (64, 1), (64, 5), (1024, 3)] {
        let points = points(rows);
        let bytes = |sets: usize| Layout::choose(rows, usize::MAX).table_bytes() / sets + 64 * rows;
        let bases = Bases::new(&machine, &points, bytes(sets)).unwrap();
        let integers: Vec<i32> = (0..rows)
            .map(|i| [0, 1, -1, i32::MAX, -i32::MAX, 77, 127, 128, 129, -128][i % 10])
            .collect();
        let columns = [
            Column::Integers { values: integers, tail: vec![] },
            Column::Integers { values: vec![-5; rows], tail: random(3, 9) },
            Column::Field(random(rows, 5)),
            Column::Field(vec![Fr::ZERO; rows]),
            Column::Field(vec![-Fr::TWO_INV; rows]),
            Column::Field(edges().into_iter().cycle().take(rows).collect()),
        ];
        let uploaded: Vec<CudaColumn> =
            columns.iter().map(|column| CudaColumn::upload(&machine, column).unwrap()).collect();
        let commitments = bases.commit(&uploaded.iter().collect::<Vec<_>>()).unwrap();
        for (i, (column, commitment)) in columns.iter().zip(commitments).enumerate() {
            let expected = best_multiexp(&scalars(column), &points).to_affine();
            assert_eq!(commitment, expected, "column {i} of {rows} rows in {sets} sets");
        }
    }
}

fn scalars(column: &Column) -> Vec<Fr> {
    match column {
        // A tail stands in the last rows.
        Column::Integers { values, tail } => {
            let head = values.len() - tail.len();
            let head = values[..head].iter().map(|&value| integer(value));
            head.chain(tail.iter().copied()).collect()
        }
        Column::Field(values) | Column::Sums { values, .. } => values.clone(),
    }
}

/// Columns of sums of entries: many rows with one entry, entries of no row, infinite points, blinding
/// in the last rows; and what is not committed to by its entries.
#[test]
fn columns_of_sums_are_committed_to_by_their_entries() {
    let (machine, rows, head) = (machine(), 256, 250);
    let points = points(rows);
    let bases = Bases::new(&machine, &points, usize::MAX).unwrap();
    let entries: Arc<[Fr]> = [&[Fr::ZERO, -Fr::ONE][..], &random(60, 5)].concat().into();
    let positions = |factor: u32, entries: u32| -> Arc<[u32]> {
        (0..head).map(|row| if row % 2 == 0 { 3 } else { row * factor % entries }).collect()
    };
    let column = |positions: Vec<Arc<[u32]>>, first: Vec<Fr>| {
        let sum = |row: u32| positions.iter().map(|p| entries[p[row as usize] as usize]).sum();
        let mut values: Vec<Fr> = (0..head).map(sum).chain(random(6, 8)).collect();
        values.iter_mut().zip(&first).for_each(|(value, first)| *value += first);
        let sums = TableSums { entries: Arc::clone(&entries), positions, first };
        Column::Sums { values, sums }
    };
    let one = vec![positions(7, 62)];
    let several = vec![positions(5, 30), positions(11, 62), positions(11, 62), positions(0, 1)];
    let many = vec![positions(3, 9); 7];
    for (positions, first, is_gathered) in [
        (one, vec![], true),
        (several.clone(), vec![], true),
        (many, vec![], false),
        (several, random(1, 2), false),
        (vec![], vec![], false),
    ] {
        let column = column(positions, first);
        let uploaded = CudaColumn::upload(&machine, &column).unwrap();
        assert_eq!(uploaded.sums.is_some(), is_gathered);
        let expected = best_multiexp(&column.to_field(), &points).to_affine();
        assert_eq!(bases.commit(&[&uploaded, &uploaded]).unwrap(), [expected; 2]);
    }
}

#[test]
fn rows_are_combined_divided_and_multiplied() {
    let (machine, rows) = (machine(), 256);
    let (x, y) = (random(rows, 1), random(rows, 2));
    let integers: Vec<i32> = (0..256).map(|i| i * 7_919_993 - 1_000_000_007).collect();
    let z = Column::Integers { values: integers, tail: random(5, 3) };
    let columns = [Column::Field(x.clone()), Column::Field(y.clone()), z.clone()];
    let uploaded: Vec<CudaColumn> =
        columns.iter().map(|column| CudaColumn::upload(&machine, column).unwrap()).collect();
    let z = scalars(&z);
    // Enough terms that sums are reduced on the way.
    let scales = random(30, 4);
    let terms: Vec<_> = scales.iter().enumerate().map(|(i, &s)| (&uploaded[i % 3], s)).collect();
    let sum = columns::combine(&machine, &terms, rows).unwrap();
    let all = [&x, &y, &z];
    let expected =
        |row: usize| scales.iter().enumerate().map(|(i, s)| s * all[i % 3][row]).sum::<Fr>();
    let expected: Vec<Fr> = (0..rows).map(expected).collect();
    assert_eq!(machine.read_elements(&sum, 0, rows).unwrap(), expected);

    let weights = machine.upload_elements(&y).unwrap();
    let queries = [(&uploaded[0], 0), (&uploaded[2], 0), (&uploaded[2], 254), (&uploaded[0], 3)];
    let dots = columns::dot(&machine, &weights, &queries, rows).unwrap();
    let dot = |column: &[Fr], by: usize| -> Fr {
        (0..rows).map(|row| y[row] * column[(row + by) % rows]).sum()
    };
    assert_eq!(dots, [dot(&x, 0), dot(&z, 0), dot(&z, 254), dot(&x, 3)]);

    let mut some = x.clone();
    some[17] = Fr::ZERO;
    let buffer = machine.upload_elements(&some).unwrap();
    let inverses = columns::invert(&machine, &buffer, rows).unwrap();
    let expected: Vec<Fr> = some.iter().map(|x| x.invert().unwrap_or(Fr::ZERO)).collect();
    assert_eq!(machine.read_elements(&inverses, 0, rows).unwrap(), expected);

    let factors = machine.upload_elements(&x).unwrap();
    let products = columns::running_products(&machine, &factors, rows).unwrap();
    let mut product = Fr::ONE;
    for (row, running) in machine.read_elements(&products, 0, rows).unwrap().iter().enumerate() {
        assert_eq!(*running, product, "row {row}");
        product *= x[row];
    }
}

const K: u32 = 6;

/// One kind for each part of the argument, and one with all of them.
fn kinds() -> Vec<(&'static str, Kind)> {
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
    vec![
        ("gates", gates),
        ("copies", Kind { seed: 4, inputs: 7, copies: 30, ..gates }),
        ("instances", Kind { seed: 5, copies: 4, instances: 3, ..gates }),
        ("phases", Kind { seed: 6, late_gates: 3, ..gates }),
        ("weights", Kind { seed: 7, weights: 40, ..gates }),
        ("lookups", Kind { seed: 8, lookups: 3, ..gates }),
        ("all", all),
    ]
}

fn lagrange(params: &ParamsKZG<Bn256>) -> Vec<G1Affine> {
    let domain = EvaluationDomain::<Fr>::new(1, K);
    let commit = |row| {
        let mut unit = domain.empty_lagrange();
        unit[row] = Fr::ONE;
        params.commit_lagrange(&unit, Blind::default()).to_affine()
    };
    (0..1 << K).map(commit).collect()
}

fn proof(key: &EngineKey<RandomCircuit>, circuit: &RandomCircuit) -> Vec<u8> {
    let mut transcript = ProofTranscript::init(vec![]);
    let instance = circuit.instance();
    let instance: Vec<&[Fr]> = instance.iter().map(|column| &column[..]).collect();
    key.prove(circuit, &instance, &mut rng(12), &mut transcript, &|_| {}).unwrap();
    transcript.finalize()
}

#[test]
fn keys_and_proofs_are_the_bytes_of_the_processor() {
    let params = ParamsKZG::<Bn256>::setup(K, rng(7));
    let lagrange = lagrange(&params);
    let powers = [params.get_g()[0], params.get_g()[1]];
    for (name, kind) in kinds() {
        let circuit = RandomCircuit::honest(kind);
        let on_cpu = EngineKey::new(&circuit, &lagrange, powers, &Device::default()).unwrap();
        // Without memory for it, nothing of the key stays on the cosets, and the table is small.
        for bytes in [BYTES, 6 << 20] {
            let machine = Machine::new(Box::new(Emulator::new(BYTES)), bytes);
            let data = lay_out(&circuit, K).unwrap();
            let key = key_on(&machine, data, &lagrange, powers).unwrap();
            let device = Device::Cuda(CudaOptions::default());
            let emulated = EngineKey { key, device, circuit: PhantomData };
            let of = |key: &EngineKey<_>| format!("{:?}", key.verifying_key().pinned());
            assert_eq!(of(&emulated), of(&on_cpu), "{name}: key");
            let before = emulated.usage().unwrap();
            assert_eq!(proof(&emulated, &circuit), proof(&on_cpu, &circuit), "{name}: proof");
            let after = emulated.usage().unwrap();
            // halo2's lookup argument sorts on the host: two columns to a lookup.
            let sorted = 2 * kind.lookups;
            assert_eq!(after.host_operations - before.host_operations, sorted as u64, "{name}");
            // Commitments, samples of columns and evaluations come back, and no columns.
            let column = 32 << K;
            let others = after.downloaded_bytes - before.downloaded_bytes - sorted as u64 * column;
            assert!(others < 40 * column, "{name}: {others} bytes");
        }
    }
}

#[test]
fn a_circuit_that_does_not_fit_is_refused_with_figures() {
    let params = ParamsKZG::<Bn256>::setup(K, rng(7));
    let powers = [params.get_g()[0], params.get_g()[1]];
    let circuit = RandomCircuit::honest(kinds()[0].1);
    let machine = Machine::new(Box::new(Emulator::new(BYTES)), 4096);
    let data = lay_out(&circuit, K).unwrap();
    let error = key_on(&machine, data, &lagrange(&params), powers).unwrap_err();
    assert!(
        matches!(error, DeviceError::OutOfMemory { device: "cuda", needed, available: 4096 }
            if needed > 4096),
        "{error}"
    );
}

/// A machine that is lost after so many launches.
#[derive(Debug)]
struct Failing {
    emulator: Emulator,
    left: AtomicUsize,
}

impl Failing {
    fn check(&self) -> Result<(), DeviceError> {
        let is_lost = self.left.load(Ordering::Relaxed) == 0;
        let reason = "CUDA_ERROR_UNKNOWN".to_owned();
        let error = DeviceError::Failed { device: "cuda", operation: "cuLaunchKernel", reason };
        if is_lost { Err(error) } else { Ok(()) }
    }
}

impl Accelerator for Failing {
    fn memory(&self) -> Result<MemorySize, DeviceError> {
        self.emulator.memory()
    }

    fn allocate(&self, bytes: usize) -> Result<Option<u64>, DeviceError> {
        self.check()?;
        self.emulator.allocate(bytes)
    }

    fn release(&self, address: u64) {
        self.emulator.release(address);
    }

    fn clear(&self, address: u64, bytes: usize) -> Result<(), DeviceError> {
        self.check()?;
        self.emulator.clear(address, bytes)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.check()?;
        self.emulator.write(address, bytes)
    }

    fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.check()?;
        self.emulator.read(address, bytes)
    }

    fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[u64]) -> Result<(), DeviceError> {
        self.check()?;
        self.left.fetch_sub(1, Ordering::Relaxed);
        self.emulator.launch(kernel, grid, arguments)
    }

    fn finish(&self) -> Result<(), DeviceError> {
        self.check()
    }
}

/// Makes a key and a proof on a machine that is lost after so many launches.
fn prove_until(launches: usize) -> Result<Vec<u8>, EngineError> {
    let params = ParamsKZG::<Bn256>::setup(K, rng(7));
    let powers = [params.get_g()[0], params.get_g()[1]];
    let circuit = RandomCircuit::honest(kinds()[0].1);
    let emulator = Emulator::new(BYTES);
    let failing = Failing { emulator, left: AtomicUsize::new(launches) };
    let machine = Machine::new(Box::new(failing), BYTES);
    let data = lay_out(&circuit, K).unwrap();
    let key = key_on(&machine, data, &lagrange(&params), powers)?;
    let device = Device::Cuda(CudaOptions::default());
    let key = EngineKey { key, device, circuit: PhantomData };
    let mut transcript = ProofTranscript::init(vec![]);
    let instance = circuit.instance();
    let instance: Vec<&[Fr]> = instance.iter().map(|column| &column[..]).collect();
    key.prove(&circuit, &instance, &mut rng(12), &mut transcript, &|_| {})?;
    Ok(transcript.finalize())
}

#[test]
fn a_device_that_is_lost_is_an_error_wherever_it_happens() {
    let expected = prove_until(usize::MAX).unwrap();
    let mut launches = 0;
    let mut failures = 0;
    loop {
        match prove_until(launches) {
            Ok(proof) => {
                assert_eq!(proof, expected);
                break;
            }
            Err(EngineError::Device(DeviceError::Failed { device, operation, reason })) => {
                let lost = ("cuda", "cuLaunchKernel", "CUDA_ERROR_UNKNOWN");
                assert_eq!((device, operation, reason.as_str()), lost);
                failures += 1;
            }
            Err(other) => panic!("after {launches} launches: {other}"),
        }
        // Not every launch: the key alone has more than a hundred.
        launches += 23;
    }
    assert!(failures > 10, "{failures} failures");
}

#[test]
fn memory_that_runs_out_in_a_proof_is_an_error_with_figures() {
    let machine = Machine::new(Box::new(Emulator::new(BYTES)), 1 << 12);
    let one = machine.elements(64).unwrap();
    let two = machine.elements(64).unwrap();
    let error = machine.elements(1).unwrap_err();
    let expected = DeviceError::OutOfMemory { device: "cuda", needed: 256, available: 0 };
    assert_eq!(error, expected);
    drop(one);
    // What is free but of another size is given back first.
    let all = machine.elements(32).unwrap();
    drop((two, all));
    assert_eq!(machine.available(), 1 << 12);
}
