//! What a proof would cost, for people and for scripts.

mod page;

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};
use zkinfer::{DeviceQuote, EvmFork, GasParts, Model, ProofParts, Quantized, Quote, Verification};

use crate::words::{self, Ceremony};

/// The cost of a proof: `Display` is the text, `Serialize` the JSON, [`Self::page`] the page.
#[derive(Clone, Debug, Serialize)]
pub struct QuoteReport {
    model: String,
    /// The inputs of the file that are constants of the model.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    constant_inputs: BTreeMap<String, Vec<f64>>,
    calibration: String,
    k: u32,
    rows: usize,
    used_rows: UsedRows,
    advice_columns: usize,
    fixed_columns: usize,
    permutation_columns: usize,
    full_width_columns: usize,
    lookups: usize,
    degree: usize,
    instructions: &'static str,
    estimated_prove_seconds: f64,
    devices: Vec<DeviceRow>,
    estimated_memory_bytes: u64,
    proof_bytes: usize,
    proof_parts: [PartReport; 7],
    evm_fork: &'static str,
    estimated_gas: u64,
    /// What it is for, at every fork.
    gas_parts: [GasReport; 9],
    layers: Vec<LayerReport>,
}

/// What a layer takes of the rows.
#[derive(Clone, Debug, Serialize)]
struct LayerReport {
    layer: String,
    slots: usize,
    linear: usize,
}

impl LayerReport {
    fn rows(&self) -> usize {
        self.slots + self.linear
    }
}

/// What the proof spends bytes on.
#[derive(Clone, Debug, Serialize)]
struct PartReport {
    part: &'static str,
    count: usize,
    bytes: usize,
}

fn proof_parts(parts: &ProofParts) -> [PartReport; 7] {
    [
        ("commitments to columns that the prover fills", parts.advice),
        ("commitments of the permutation", parts.products),
        ("commitments of the quotient", parts.quotient),
        ("openings", parts.openings),
        ("evaluations of columns that the prover fills", parts.advice_evaluations),
        ("evaluations of columns that the key fixes", parts.fixed_evaluations),
        ("evaluations of the permutation and of the blinding", parts.other_evaluations),
    ]
    .map(|(part, count)| PartReport { part, count, bytes: ProofParts::bytes_of(count) })
}

/// What the transaction that verifies the proof spends gas on.
#[derive(Clone, Debug, Serialize)]
struct GasReport {
    part: &'static str,
    osaka: u64,
    amsterdam: u64,
}

fn gas_parts(work: Verification) -> [GasReport; 9] {
    let of = |fork| work.gas_parts(fork);
    let (osaka, amsterdam) = (of(EvmFork::Osaka), of(EvmFork::Amsterdam));
    let part = |part, of: fn(&GasParts) -> u64| GasReport {
        part,
        osaka: of(&osaka),
        amsterdam: of(&amsterdam),
    };
    [
        part("the transaction itself", |gas| gas.base),
        part("calldata", |gas| gas.calldata),
        part("the pairing, and what every call takes", |gas| gas.call),
        part("points of the proof", |gas| gas.points),
        part("points of the key", |gas| gas.key_points),
        part("evaluations", |gas| gas.evaluations),
        part("gates", |gas| gas.gates),
        part("public values", |gas| gas.values),
        part("up to the least price of calldata", |gas| gas.floor),
    ]
}

/// What the proof takes on a device, or why it cannot be used.
#[derive(Clone, Debug, Serialize)]
struct DeviceRow {
    device: &'static str,
    estimated_prove_seconds: Option<f64>,
    reason: Option<String>,
}

impl DeviceRow {
    fn new(quote: &DeviceQuote) -> Self {
        Self {
            device: quote.device.name(),
            estimated_prove_seconds: quote.prove_seconds.as_ref().ok().copied(),
            reason: quote.prove_seconds.as_ref().err().cloned(),
        }
    }
}

/// A unit of the circuit: its name, what its rows are for, how many they are.
type UnitRows = (&'static str, &'static str, usize);

/// Rows that hold data, and those of each unit.
#[derive(Clone, Debug)]
struct UsedRows {
    usable: usize,
    units: Vec<UnitRows>,
}

impl Serialize for UsedRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let units = self.units.iter().map(|&(name, _, rows)| (name, rows));
        serializer.collect_map(std::iter::once(("usable", self.usable)).chain(units))
    }
}

impl QuoteReport {
    /// The report of a quote, with what the proof takes on each device; gas is that of Osaka.
    #[must_use]
    pub fn new(
        model: &Model,
        quantized: &Quantized,
        quote: &Quote,
        devices: &[DeviceQuote],
    ) -> Self {
        let fork = EvmFork::Osaka;
        let cost = &quote.cost;
        Self {
            model: words::model(quantized.settings.label(), model.digest()),
            constant_inputs: model.constant_inputs().clone(),
            calibration: words::origin(&quantized.origin),
            k: cost.k,
            rows: 1 << cost.k,
            used_rows: UsedRows { usable: cost.usable_rows, units: cost.rows.named() },
            advice_columns: cost.advice_columns,
            fixed_columns: cost.fixed_columns,
            permutation_columns: cost.permutation_columns,
            full_width_columns: cost.full_width_columns,
            lookups: cost.lookups,
            degree: cost.degree,
            instructions: quote.instructions.name(),
            estimated_prove_seconds: quote.prove_seconds,
            devices: devices.iter().map(DeviceRow::new).collect(),
            estimated_memory_bytes: cost.memory_bytes,
            proof_bytes: cost.proof_bytes,
            proof_parts: proof_parts(&cost.proof_parts),
            evm_fork: fork.name(),
            estimated_gas: cost.gas(fork),
            gas_parts: gas_parts(cost.verification),
            layers: quote
                .layers
                .iter()
                .map(|rows| LayerReport {
                    layer: rows.layer.clone(),
                    slots: rows.slots,
                    linear: rows.linear,
                })
                .collect(),
        }
    }

    /// The same with the gas of another fork.
    #[must_use]
    pub fn at_fork(self, fork: EvmFork, quote: &Quote) -> Self {
        Self { evm_fork: fork.name(), estimated_gas: quote.cost.gas(fork), ..self }
    }
}

/// Most nodes that the text lists.
const MOST_NODES: usize = 12;

impl QuoteReport {
    /// The rows of each node's layers, the largest first.
    fn rows_by_node(&self) -> Vec<(&str, usize)> {
        let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
        for layer in &self.layers {
            *rows.entry(&layer.layer).or_default() += layer.rows();
        }
        let mut rows: Vec<_> = rows.into_iter().filter(|(_, rows)| *rows > 0).collect();
        rows.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        rows
    }

    fn write_nodes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.rows_by_node();
        let all: usize = nodes.iter().map(|(_, rows)| rows).sum();
        for (name, rows) in nodes.iter().take(MOST_NODES) {
            let share = 100 * rows / all.max(1);
            writeln!(f, "    {rows:>9} rows {share:>3} %  {name}")?;
        }
        if let Some(rest) = nodes.get(MOST_NODES..).filter(|rest| !rest.is_empty()) {
            let rows: usize = rest.iter().map(|(_, rows)| rows).sum();
            writeln!(
                f,
                "    {rows:>9} rows {:>3} %  {} more nodes",
                100 * rows / all.max(1),
                rest.len()
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for QuoteReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (calibrated with the {})", self.model, self.calibration)?;
        writeln!(
            f,
            "  rows: 2^{} = {}, of which {} hold data",
            self.k, self.rows, self.used_rows.usable
        )?;
        let used = self.used_rows.units.iter();
        let used: Vec<_> = used.map(|(_, what, rows)| format!("{rows} {what}")).collect();
        writeln!(f, "  used: {}", used.join(", "))?;
        self.write_nodes(f)?;
        writeln!(
            f,
            "  columns: {} advice, {} fixed, {} in the permutation; {} full-width commitments",
            self.advice_columns,
            self.fixed_columns,
            self.permutation_columns,
            self.full_width_columns
        )?;
        writeln!(f, "  {} lookups to a row, degree {}", self.lookups, self.degree)?;
        writeln!(
            f,
            "  proving (estimated, 2 cores like this one, {}): {:.3} s",
            self.instructions, self.estimated_prove_seconds
        )?;
        for DeviceRow { device, estimated_prove_seconds, .. } in &self.devices {
            if let Some(seconds) = estimated_prove_seconds.filter(|_| *device != "cpu") {
                writeln!(f, "  proving on {device} (estimated): {seconds:.3} s")?;
            }
        }
        writeln!(f, "  memory (estimated): {} MB", self.estimated_memory_bytes / 1_000_000)?;
        writeln!(f, "  proof: {} bytes", self.proof_bytes)?;
        writeln!(
            f,
            "  verifying on an EVM chain (estimated, {}): {} gas",
            self.evm_fork, self.estimated_gas
        )?;
        write!(f, "  SRS: {}", Ceremony(self.k))
    }
}
