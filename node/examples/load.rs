//! Sends requests at a steady rate, and tells how long answers take: of a market, or of a model that
//! is served centrally (`benches/market/central.py`).
//!
//! ```console
//! $ cargo run --release -p zkinfer-node --example load -- market http://127.0.0.1:8645 model.zkvk input.json 50 20
//! $ cargo run --release -p zkinfer-node --example load -- central http://127.0.0.1:9000 model.zkvk input.json 50 20
//! ```
//!
//! The last two are requests a second and seconds. A request that is late does not hold up the next.
//! One more number, for a market, is the share of answers that are drawn to be proven: all are
//! proven where it is not given.

use std::{
    path::Path,
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use zkinfer::{
    models::{InputFile, TensorSpec},
    read,
    verifier::{ClaimedValues, TensorLayout, VerifyingKey},
};
use zkinfer_node::{
    ALWAYS, Client, Decimal, Hex, Identity, Order, Sampling, Wait, random_nonce, secret,
};
use zkinfer_settlement::ValuesDigest;

/// What is to be done after an answer, when its time was taken.
type Rest = Box<dyn FnOnce() -> Result<()> + Send>;
/// Something that is asked again and again.
type Ask = Box<dyn Fn() -> Result<Rest> + Send + Sync>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, url, key, input, rate, seconds, share @ ..] = &arguments[..] else {
        bail!("usage: load market|central URL KEY.zkvk INPUT RATE SECONDS [SHARE]");
    };
    let key = read::key(Path::new(key))?;
    let reals = reals(Path::new(input), &key)?;
    let ask: Ask = match kind.as_str() {
        "market" => market(url, &key, &reals, sampled(share)?)?,
        "central" => central(url, &reals)?,
        other => bail!("{other} is neither market nor central"),
    };
    let (rate, seconds): (u32, u32) = (rate.parse()?, seconds.parse()?);
    // The first requests make connections.
    for _ in 0..5 {
        ask()?()?;
    }
    let mut latencies = run(&ask, rate, rate * seconds)?;
    latencies.sort();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    println!(
        "{kind}: {} requests at {rate}/s, ms: p50 {:.1}, p95 {:.1}, p99 {:.1}, max {:.1}",
        latencies.len(),
        at(50),
        at(95),
        at(99),
        at(100)
    );
    Ok(())
}

/// Sends so many requests, each at its own time, and measures from that time on.
fn run(ask: &Ask, rate: u32, count: u32) -> Result<Vec<Duration>> {
    let start = Instant::now();
    let (tell, told) = channel();
    thread::scope(|scope| {
        for index in 0..count {
            let due = start + Duration::from_secs(1) * index / rate;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let tell = tell.clone();
            scope.spawn(move || {
                let answered = ask().map(|rest| (due.elapsed(), rest));
                tell.send(answered.and_then(|(elapsed, rest)| rest().map(|()| elapsed)))
            });
        }
        drop(tell);
        told.into_iter().collect()
    })
}

/// How many of a million answers are drawn, if not all.
fn sampled(share: &[String]) -> Result<Option<u32>> {
    let [share] = share else { return Ok(None) };
    let share: f64 = share.parse()?;
    Ok(Some(format!("{:.0}", share * f64::from(ALWAYS)).parse()?))
}

fn reals(path: &Path, key: &VerifyingKey) -> Result<Vec<Vec<f64>>> {
    let size = |&size: &u32| usize::try_from(size).unwrap_or(usize::MAX);
    let spec = |tensor: &TensorLayout| TensorSpec {
        name: tensor.name.clone(),
        shape: tensor.shape.iter().map(size).collect(),
    };
    let specs: Vec<TensorSpec> = key.parts().layout.inputs.iter().map(spec).collect();
    let tensors = InputFile::read(path)?.tensors(&specs.iter().collect::<Vec<_>>())?;
    Ok(tensors.iter().map(|one| one.iter().copied().map(f64::from).collect()).collect())
}

fn market(url: &str, key: &VerifyingKey, reals: &[Vec<f64>], rate: Option<u32>) -> Result<Ask> {
    let mut input = Vec::new();
    for (tensor, values) in key.parts().layout.inputs.iter().zip(reals) {
        input.extend(tensor.quantize(values)?.values);
    }
    let buyer = Identity::random()?;
    let (client, view) = Client::connect(url)?;
    let digest = Hex(ValuesDigest::of(&ClaimedValues::Public(input.clone())).0.0);
    let model = Hex(key.digest().0.0);
    Ok(Box::new(move || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let mut order = Order {
            chain_id: view.chain_id,
            buyer: buyer.public_key(),
            model,
            input: digest,
            nonce: Decimal(random_nonce().context("no random bytes")?),
            price: Decimal(1),
            stake: Decimal(1),
            deadline: now + 3_600,
            sampling: None,
            ramp: None,
            sealed: None,
        };
        order.sampling = rate.map(|rate| Sampling::new(rate, &order, &buyer));
        let request = order.request(&buyer, input.clone());
        let answered = client.submit(&request, Wait::Answer)?;
        let answer = answered.answer.context("no answer in time")?;
        let lot = rate.filter(|_| answer.answer.rate < ALWAYS);
        let lot = lot.map(|rate| secret(rate, &request.order, &buyer));
        let client = client.clone();
        Ok(Box::new(move || match lot {
            Some(secret) => Ok(client.reveal(answer.job(), secret).map(|_| ())?),
            None => Ok(()),
        }))
    }))
}

fn central(url: &str, reals: &[Vec<f64>]) -> Result<Ask> {
    let body = serde_json::to_string(&serde_json::json!({ "input": reals.concat() }))?;
    let (agent, url) = (ureq::Agent::new_with_defaults(), url.to_owned());
    Ok(Box::new(move || {
        let mut response = agent.post(&url).send(&body)?;
        response.body_mut().read_to_vec()?;
        Ok(Box::new(|| Ok(())))
    }))
}
