//! `quote`: what a proof would cost, before anything is proved.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use zkinfer::{DeviceQuote, Error, KeyFiles, Model, Quantized, Quote};

use crate::{
    args,
    output::{Outcome, Output},
    text::{self, Ceremony},
};

pub(crate) fn run(args: &args::Quote, output: &Output) -> Result<Outcome> {
    let model = args.import.open(&args.model)?;
    let inputs: Vec<_> =
        args.input.iter().map(|path| model.read_input(path)).collect::<Result<_, Error>>()?;
    let beside = KeyFiles::beside_model(&args.model).settings;
    let quantized = model.quantize(&args.quantize.recipe(), &beside, &inputs)?;
    let quote = Quote::new(&model, &quantized)?;
    let devices = quote.on(&args.icicle.devices(None)?);
    output.report(&Report::new(&model, &quantized, &quote, &devices))?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    model: String,
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
    estimated_gas: u64,
}

/// What the proof takes on a device, or why it cannot be used.
#[derive(Serialize)]
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

#[derive(Serialize)]
struct UsedRows {
    usable: usize,
    slots: usize,
    linear: usize,
    pool: usize,
    softmax: usize,
    commitment: usize,
    table: usize,
    instance: usize,
}

impl Report {
    fn new(model: &Model, quantized: &Quantized, quote: &Quote, devices: &[DeviceQuote]) -> Self {
        let cost = &quote.cost;
        Self {
            model: text::model(quantized.settings.label(), model.digest()),
            calibration: text::origin(&quantized.origin),
            k: cost.k,
            rows: 1 << cost.k,
            used_rows: UsedRows {
                usable: cost.usable_rows,
                slots: cost.rows.slots,
                linear: cost.rows.linear,
                pool: cost.rows.pool,
                softmax: cost.rows.softmax,
                commitment: cost.rows.commitment,
                table: cost.rows.table,
                instance: cost.rows.instance,
            },
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
            estimated_gas: cost.gas,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (calibrated with the {})", self.model, self.calibration)?;
        writeln!(
            f,
            "  rows: 2^{} = {}, of which {} hold data",
            self.k, self.rows, self.used_rows.usable
        )?;
        let UsedRows { slots, linear, pool, softmax, commitment, table, instance, .. } =
            self.used_rows;
        writeln!(
            f,
            "  used: {slots} requantization, {linear} linear, {pool} pooling, {softmax} softmax, \
             {commitment} hash, {table} table, {instance} public"
        )?;
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
        writeln!(f, "  verifying on an EVM chain (estimated): {} gas", self.estimated_gas)?;
        write!(f, "  SRS: {}", Ceremony(self.k))
    }
}
