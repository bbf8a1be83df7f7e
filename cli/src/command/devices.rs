//! `devices`: where proofs can be made on this machine, and why not elsewhere.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use zkinfer::{DeviceFacts, FoundDevice, device_reason};

use crate::{
    args,
    output::{Outcome, Output},
};

pub(crate) fn run(args: &args::FindDevices, output: &Output) -> Result<Outcome> {
    let found = args.icicle.devices(None)?.find();
    output.report(&Report { devices: found.iter().map(Row::new).collect() })?;
    Ok(Outcome::Accepted)
}

#[derive(Serialize)]
struct Report {
    devices: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    device: &'static str,
    usable: bool,
    description: Option<String>,
    memory_bytes: Option<u64>,
    /// Why it cannot be used.
    reason: Option<String>,
}

impl Row {
    fn new(found: &FoundDevice) -> Self {
        let device = found.device.name();
        match &found.state {
            Ok(DeviceFacts { description, memory_bytes }) => Self {
                device,
                usable: true,
                description: Some(description.clone()),
                memory_bytes: *memory_bytes,
                reason: None,
            },
            Err(why) => Self {
                device,
                usable: false,
                description: None,
                memory_bytes: None,
                reason: Some(device_reason(why)),
            },
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row { device, description, memory_bytes, reason, .. } in &self.devices {
            write!(f, "{device:<7} ")?;
            match (description, reason) {
                (Some(description), _) => write!(f, "{description}")?,
                (None, Some(reason)) => write!(f, "cannot be used: {reason}")?,
                (None, None) => {}
            }
            if let Some(bytes) = memory_bytes {
                write!(f, ", {} MB of memory", bytes / 1_000_000)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
