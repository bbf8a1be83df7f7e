//! The engine against halo2's `create_proof`, on the same circuits and in the same run, for every
//! instruction set of the processor; and the stages of a proof.
//!
//! `cargo bench --bench engine`, or with names of models: `cargo bench --bench engine -- digits_mlp`
//!
//! Provers take turns, so that other work on the machine slows all of them. Times are medians, with
//! the shortest in brackets. Every proof is verified, which is not part of its time.

use std::{env, time::Instant};

use anyhow::{Context, Result, ensure};
use halo2_proofs::halo2curves::bn256::Fr;
use rand_core::OsRng;
use zkinfer_benches::{BINDING, MODELS, ZooModel, instruction_sets, machine, median};
use zkinfer_circuits::InferenceCircuit;
use zkinfer_engine::{CpuOptions, Instructions, Stage};
use zkinfer_prover::{Proven, Setup, reference::Reference};
use zkinfer_verifier::{Proof, encode_scalar, verify};

/// Turns of every prover.
const TURNS: usize = 9;
/// Proofs by the engine in a turn, where halo2's prover makes one.
const ENGINE_PROOFS: usize = 3;
/// The model whose stages are told.
const STAGES_OF: &str = "mnist_lenet";

/// The proofs of one model by one prover: seconds, and stages where they are known.
#[derive(Default)]
struct Proofs(Vec<(f64, Vec<(Stage, f64)>)>);

impl Proofs {
    fn prove(&mut self, model: &ZooModel, setup: &Setup) -> Result<Proven> {
        let proven = setup.prove(&model.execution, BINDING)?;
        self.0.push((proven.prove_seconds, proven.stages.clone()));
        Ok(proven)
    }

    fn seconds(&self) -> Vec<f64> {
        self.0.iter().map(|(seconds, _)| *seconds).collect()
    }

    fn median(&self) -> f64 {
        median(self.seconds())
    }

    /// The median, and the shortest in brackets, in milliseconds.
    fn cell(&self) -> String {
        let shortest = self.seconds().into_iter().fold(f64::INFINITY, f64::min);
        format!("{:.1} ({:.1})", 1e3 * self.median(), 1e3 * shortest)
    }

    /// The stages, in order, with the median of each.
    fn stages(&self) -> Vec<(Stage, f64)> {
        let Some((_, first)) = self.0.first() else { return Vec::new() };
        let seconds =
            |index: usize| self.0.iter().filter_map(move |(_, stages)| Some(stages.get(index)?.1));
        let stages = first.iter().enumerate();
        stages.map(|(index, (stage, _))| (*stage, median(seconds(index).collect()))).collect()
    }
}

/// halo2's own prover on one model.
struct Halo2<'a> {
    setup: &'a Setup,
    key: Reference,
    circuit: InferenceCircuit,
    /// What is proved: a proof by the engine.
    proven: Proven,
    instance: Vec<Fr>,
}

impl<'a> Halo2<'a> {
    fn new(model: &ZooModel, setup: &'a Setup) -> Result<Self> {
        let proven = setup.prove(&model.execution, BINDING)?;
        let (plan, execution) = (setup.plan().clone(), model.execution.clone());
        let circuit = InferenceCircuit::with_execution(plan, execution);
        let key = Reference::new(setup.srs(), setup.circuit_key().verifying_key(), &circuit)?;
        let scalar = |value| Option::from(Fr::from_bytes(&encode_scalar(value)));
        let instance = proven.file.claim.instance();
        let instance: Option<Vec<Fr>> = instance.iter().map(scalar).collect();
        let instance = instance.context("the claim's scalars are canonical")?;
        Ok(Self { setup, key, circuit, proven, instance })
    }

    /// The seconds of a proof.
    fn prove(&self) -> Result<f64> {
        let (srs, key) = (self.setup.srs(), self.setup.verifying_key());
        let (digest, instance) = (key.digest().0.0, &[&self.instance[..]]);
        let start = Instant::now();
        let proof = self.key.prove(srs, &digest, &self.circuit, instance, &mut OsRng)?;
        let seconds = start.elapsed().as_secs_f64();
        let claim = &self.proven.file.claim;
        let _verified = verify(key, claim, &Proof::new(proof), self.setup.own_policy())?;
        Ok(seconds)
    }
}

/// All provers on one model.
struct Comparison {
    k: u32,
    reference: Proofs,
    engines: Vec<(Instructions, Proofs)>,
}

impl Comparison {
    fn new(model: &ZooModel) -> Result<Self> {
        let sets = instruction_sets();
        let setups = sets
            .iter()
            .map(|&instructions| model.setup(CpuOptions { instructions, ..CpuOptions::default() }));
        let setups: Vec<Setup> = setups.collect::<Result<_>>()?;
        let halo2 = Halo2::new(model, &setups[0])?;
        let mut reference = Proofs::default();
        let mut engines: Vec<_> = sets.into_iter().map(|set| (set, Proofs::default())).collect();
        for _ in 0..TURNS {
            reference.0.push((halo2.prove()?, Vec::new()));
            for ((_, proofs), setup) in engines.iter_mut().zip(&setups) {
                for _ in 0..ENGINE_PROOFS {
                    proofs.prove(model, setup)?;
                }
            }
        }
        Ok(Self { k: setups[0].plan().k(), reference, engines })
    }

    fn print_row(&self, name: &str) {
        print!("| {name} | {} | {} |", self.k, self.reference.cell());
        for (_, proofs) in &self.engines {
            print!(" {} | {:.1} |", proofs.cell(), self.reference.median() / proofs.median());
        }
        println!();
    }

    fn print_stages(&self) {
        print!("\nStages of {STAGES_OF}, ms:\n\n| stage |");
        self.engines.iter().for_each(|(set, _)| print!(" {} |", set.name()));
        println!("\n|---|{}", "---|".repeat(self.engines.len()));
        let stages: Vec<_> = self.engines.iter().map(|(_, proofs)| proofs.stages()).collect();
        for (index, (stage, _)) in stages[0].iter().enumerate() {
            print!("| {} |", stage.name());
            stages.iter().for_each(|stages| print!(" {:.2} |", 1e3 * stages[index].1));
            println!();
        }
    }
}

fn main() -> Result<()> {
    let chosen: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let models: Vec<&str> = MODELS
        .into_iter()
        .filter(|name| chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str())))
        .collect();
    ensure!(!models.is_empty(), "no model is named like that; there are {}", MODELS.join(", "));
    println!(
        "{}\nProofs, ms: median (shortest), and how many times faster than halo2's prover\n",
        machine()
    );
    print!("| model | k | create_proof |");
    instruction_sets().iter().for_each(|set| print!(" {} | ratio |", set.name()));
    println!("\n|---|---|---|{}", "---|---|".repeat(instruction_sets().len()));
    let mut with_stages = None;
    for name in models {
        let comparison = Comparison::new(&ZooModel::read(name)?)?;
        comparison.print_row(name);
        if name == STAGES_OF {
            with_stages = Some(comparison);
        }
    }
    if let Some(comparison) = with_stages {
        comparison.print_stages();
    }
    Ok(())
}
