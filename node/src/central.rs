//! The same model served centrally, measured beside a market.

use std::{path::Path, time::Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use zkinfer::read;

use crate::{args, buyer};

/// Requests before the first that counts: they make connections.
const WARM: u32 = 5;

/// How a central server has answered, one request after the other, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Central {
    url: String,
    requests: u32,
    p50: f64,
    p95: f64,
    p99: f64,
}

/// Asks a central server for the same output again and again. It takes `{"input": [numbers]}` by POST
/// and gives `{"output": [numbers]}`; `benches/market/central.py` is one.
pub(crate) fn measure(args: &args::Beside) -> Result<Option<Central>> {
    let (Some(url), Some(key), Some(input)) = (&args.central, &args.key, &args.input) else {
        return Ok(None);
    };
    let reals = reals(input, key)?;
    let body = serde_json::to_string(&serde_json::json!({ "input": reals }))?;
    let agent = ureq::Agent::new_with_defaults();
    let mut times = Vec::new();
    for number in 0..args.requests.saturating_add(WARM) {
        let start = Instant::now();
        let response = agent.post(url).send(&body);
        let mut response = response.with_context(|| format!("the central server at {url}"))?;
        let answered = response.body_mut().read_to_vec()?;
        let elapsed = start.elapsed();
        let answered: serde_json::Value = serde_json::from_slice(&answered)?;
        if !answered["output"].is_array() {
            bail!("{url} answers without an output");
        }
        if number >= WARM {
            times.push(elapsed.as_secs_f64() * 1_000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    let rank = |percent: usize| (times.len() * percent).div_ceil(100).saturating_sub(1);
    let at = |percent| times.get(rank(percent)).copied().context("no requests");
    let (p50, p95, p99) = (at(50)?, at(95)?, at(99)?);
    Ok(Some(Central { url: url.clone(), requests: args.requests, p50, p95, p99 }))
}

/// The input's real numbers, tensor after tensor.
fn reals(input: &Path, key: &Path) -> Result<Vec<f64>> {
    Ok(buyer::reals(input, &read::key(key)?)?.concat())
}
