//! The command line.

use std::path::PathBuf;

use clap::{Args as Arguments, Parser, Subcommand};
use zkinfer_node::{Hex, PartsOption, WorkerOptions};

/// A market of proofs: a coordinator, prover nodes, and buyers.
#[derive(Parser)]
#[command(name = "zkinfer-market", version)]
pub(crate) struct Args {
    /// What is logged to standard error: error, warn, info, debug or trace.
    #[arg(long, global = true, default_value = "warn")]
    pub(crate) log: tracing::Level,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a coordinator: HTTP API, queue, scheduler and escrow.
    Serve(Serve),
    /// Run a prover: it answers at once and proves by the deadline.
    Node(Node),
    /// Order a job, look at it, wait for it, or take it back.
    #[command(subcommand)]
    Job(Job),
    /// Pack the evidence of a job into a folder, for an auditor.
    Bundle(Bundle),
    /// Check such a folder; nothing is asked of anybody.
    Check(Check),
    /// Compute service levels from the coordinator's log, after checking the log.
    Report(ReportBeside),
    /// Compute weights for a subnet of Bittensor from the coordinator's log.
    Weights(Weights),
    /// Run a model as a node should have, and find the operation at which its answer went wrong.
    Replay(Replay),
}

/// What is replayed: the answer to a job, or a dispute that somebody has found.
#[derive(Arguments)]
pub(crate) struct Replay {
    /// Where the coordinator is.
    #[arg(long, default_value = "http://127.0.0.1:8645")]
    pub(crate) market: String,
    /// The job whose answer is doubted.
    #[arg(required_unless_present = "check")]
    pub(crate) job: Option<Hex<32>>,
    /// A dispute to check, in place of a job; nothing is asked of anybody.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["job", "output"])]
    pub(crate) check: Option<PathBuf>,
    /// The input of the job, as for `job submit`.
    #[arg(long, required_unless_present_any = ["check", "identity"], conflicts_with = "check")]
    pub(crate) input: Option<PathBuf>,
    /// What opens the commitment to it, as for `job submit`.
    #[arg(long, value_name = "ZKOPENING", requires = "input",
        conflicts_with_all = ["check", "identity"])]
    pub(crate) input_opening: Option<PathBuf>,
    /// The key of a node that the input was sealed to, in place of the input: it opens its box.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["check", "input"])]
    pub(crate) identity: Option<PathBuf>,
    /// Take elements of the input that lie outside the calibrated range at its bounds.
    #[arg(long)]
    pub(crate) clamp: bool,
    /// The ONNX model, with its settings and key beside it.
    #[arg(long, value_name = "ONNX")]
    pub(crate) model: PathBuf,
    /// The ceremony of the key; the development setup where none is named.
    #[arg(long)]
    pub(crate) srs: Option<PathBuf>,
    /// Where to write the dispute, if there is one.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Arguments)]
pub(crate) struct Bundle {
    /// Where the coordinator is.
    #[arg(long, default_value = "http://127.0.0.1:8645")]
    pub(crate) market: String,
    /// The job.
    pub(crate) job: Hex<32>,
    /// The folder, new or empty.
    #[arg(long, short)]
    pub(crate) output: PathBuf,
}

#[derive(Arguments)]
pub(crate) struct Check {
    /// The folder of a bundle.
    pub(crate) folder: PathBuf,
    /// The coordinator's key, where it is known from elsewhere.
    #[arg(long, value_name = "KEY")]
    pub(crate) coordinator: Option<Hex<32>>,
    /// Accept a proof under the insecure development setup.
    #[arg(long)]
    pub(crate) allow_insecure_srs: bool,
}

/// Whose log it is.
#[derive(Arguments)]
pub(crate) struct Report {
    /// Where the coordinator is.
    #[arg(long, default_value = "http://127.0.0.1:8645")]
    pub(crate) market: String,
    /// The coordinator's key, where it is known from elsewhere; else the one that it names.
    #[arg(long, value_name = "KEY")]
    pub(crate) coordinator: Option<Hex<32>>,
}

#[derive(Arguments)]
pub(crate) struct ReportBeside {
    #[command(flatten)]
    pub(crate) log: Report,
    #[command(flatten)]
    pub(crate) beside: Beside,
}

/// A central server of the same model, to be measured beside the market.
#[derive(Arguments)]
pub(crate) struct Beside {
    /// Measure a central server too: it takes {"input": [numbers]} by POST and gives {"output":
    /// [numbers]}.
    #[arg(long, value_name = "URL", requires = "key", requires = "input")]
    pub(crate) central: Option<String>,
    /// The verifying key of the model, for the shape of the input.
    #[arg(long, value_name = "ZKVK", requires = "central")]
    pub(crate) key: Option<PathBuf>,
    /// The input to send, as for `zkinfer prove`.
    #[arg(long, requires = "central")]
    pub(crate) input: Option<PathBuf>,
    /// How often it is sent.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) requests: u32,
}

#[derive(Arguments)]
pub(crate) struct Weights {
    #[command(flatten)]
    pub(crate) log: Report,
    /// A JSON object: from accounts of nodes to their numbers in the subnet.
    #[arg(long)]
    pub(crate) uids: PathBuf,
    /// The subnet's limit of one weight, in units of 1/65535 of all.
    #[arg(long, default_value_t = u16::MAX)]
    pub(crate) limit: u16,
}

#[derive(Arguments)]
pub(crate) struct Serve {
    /// A TOML file; flags override it.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen; 127.0.0.1:8645 by default.
    #[arg(long)]
    pub(crate) listen: Option<String>,
    /// The folder of everything that the coordinator keeps; "market" by default.
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
    /// A NATS server with JetStream for the queue, as nats://127.0.0.1:4222; in the folder by default.
    #[arg(long, value_name = "URL")]
    pub(crate) nats: Option<String>,
    /// A verifying key of a model to serve; may be given several times.
    #[arg(long, value_name = "ZKVK")]
    pub(crate) key: Vec<PathBuf>,
    /// The manifest of a model in parts to serve, with the keys beside it; may be given several times.
    #[arg(long, value_name = "ZKPARTS")]
    pub(crate) manifest: Vec<PathBuf>,
    /// The ceremony of the keys of parts; the development setup where none is named.
    #[arg(long)]
    pub(crate) srs: Option<PathBuf>,
    /// Give nodes the models themselves, which lie beside their keys or manifests.
    #[arg(long)]
    pub(crate) share_models: bool,
    /// Pay for proofs under the insecure development setup.
    #[arg(long)]
    pub(crate) allow_insecure_srs: bool,
    /// For trials: give every account that comes this much, once.
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) play_money: Option<u64>,
}

#[derive(Arguments)]
pub(crate) struct Node {
    /// Where the coordinator is.
    #[arg(long, default_value = "http://127.0.0.1:8645")]
    market: String,
    /// An ONNX model to serve, with its settings and key beside it; may be given several times. Where
    /// neither it nor --parts is given, all that the coordinator shares.
    #[arg(long, value_name = "ONNX")]
    model: Vec<PathBuf>,
    /// A model in parts to serve: its manifest, with the keys beside it, and its ONNX file; may be given
    /// several times.
    #[arg(long, num_args = 2, value_names = ["ZKPARTS", "ONNX"])]
    parts: Vec<PathBuf>,
    /// Only this part of models in parts, from 0; may be given several times.
    #[arg(long, value_name = "INDEX")]
    part: Vec<usize>,
    /// The folder of the models that the coordinator shares.
    #[arg(long, default_value = "models")]
    models: PathBuf,
    /// The ceremony of the keys; the development setup where none is named.
    #[arg(long)]
    srs: Option<PathBuf>,
    /// The node's key, made where there is none.
    #[arg(long, default_value = "node.key")]
    identity: PathBuf,
    /// Jobs to have at once.
    #[arg(long, default_value_t = 8)]
    slots: u32,
    /// Answers to be computed or handed in at once.
    #[arg(long, default_value_t = 4)]
    answerers: usize,
    /// A relay of drand, as http://127.0.0.1:8080: the node hands in the rounds that draw the lots of
    /// its answers. Without it, it proves those that nobody else hands a round in for.
    #[arg(long, value_name = "URL")]
    drand: Option<String>,
    /// What the node wants for a job, at least.
    #[arg(long, value_name = "AMOUNT", default_value_t = 0)]
    ask: u128,
    /// What it wants for a second of proving, as `zkinfer quote` estimates it; the larger of both
    /// counts.
    #[arg(long, value_name = "AMOUNT", default_value_t = 0)]
    rate: u128,
    /// What is to be free of the bond at the start, taken from the balance.
    #[arg(long, default_value_t = 10_000)]
    bond: u128,
}

impl Node {
    pub(crate) fn options(&self) -> WorkerOptions {
        WorkerOptions {
            market: self.market.clone(),
            identity: self.identity.clone(),
            models: self.model.clone(),
            parts: self
                .parts
                .chunks(2)
                .filter_map(|pair| match pair {
                    [manifest, model] => {
                        let (manifest, model) = (manifest.clone(), model.clone());
                        Some(PartsOption { manifest, model })
                    }
                    _ => None,
                })
                .collect(),
            only: self.part.clone(),
            fetched: self.models.clone(),
            srs: self.srs.clone(),
            slots: self.slots,
            answerers: self.answerers,
            bond: self.bond,
            ask: self.ask,
            rate: self.rate,
            drand: self.drand.clone(),
        }
    }
}

/// A share, as so many of a million.
fn rate(text: &str) -> Result<u32, String> {
    let share = text.parse::<f64>().ok().filter(|share| *share > 0.0 && *share <= 1.0);
    let share = share.ok_or("expected a number above 0 and at most 1")?;
    let (low, high) = (1, zkinfer_node::ALWAYS);
    // Written with six places, it is a whole number of millionths.
    let places = format!("{share:.6}").replace('.', "");
    places.parse::<u32>().map(|rate| rate.clamp(low, high)).map_err(|error| error.to_string())
}

/// What is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Price {
    /// Where it begins, if it rises.
    pub(crate) from: Option<u128>,
    /// The price, or its end.
    pub(crate) most: u128,
}

/// An amount, or two with dots between.
fn price(text: &str) -> Result<Price, String> {
    let amount = |text: &str| {
        let amount = text.parse::<u128>().ok().filter(|amount| *amount > 0);
        amount.ok_or_else(|| "expected an amount from 1, or two as 5..20".to_owned())
    };
    let Some((from, most)) = text.split_once("..") else {
        return Ok(Price { from: None, most: amount(text)? });
    };
    let (from, most) = (amount(from)?, amount(most)?);
    if from > most {
        return Err(format!("a price rises: {from} is above {most}"));
    }
    Ok(Price { from: Some(from), most })
}

/// How a buyer finds the coordinator, and who he is.
#[derive(Arguments)]
pub(crate) struct Buyer {
    /// Where the coordinator is.
    #[arg(long, default_value = "http://127.0.0.1:8645")]
    pub(crate) market: String,
    /// The buyer's key, made where there is none.
    #[arg(long, default_value = "buyer.key")]
    pub(crate) identity: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum Job {
    /// Order a run of a model on an input, and wait for the answer.
    Submit(Submit),
    /// Show a job.
    Status(Named),
    /// Wait until a job has come to an end; its proof can be kept.
    Wait(Named),
    /// Take back a job that no node has yet.
    Cancel(Named),
    /// Hand in the round of drand that draws the lot of the answer.
    Draw(Draw),
}

#[derive(Arguments)]
pub(crate) struct Submit {
    #[command(flatten)]
    pub(crate) buyer: Buyer,
    /// The verifying key of the model.
    #[arg(long, value_name = "ZKVK", required_unless_present = "manifest")]
    pub(crate) key: Option<PathBuf>,
    /// The manifest of a model in parts, with the keys beside it, in place of a key. Its nodes share the
    /// price, each by what its part costs; the stake is that of each.
    #[arg(long, value_name = "ZKPARTS", conflicts_with_all = ["key", "sampled", "beacon", "input_opening"])]
    pub(crate) manifest: Option<PathBuf>,
    /// The input, as for `zkinfer prove`.
    #[arg(long)]
    pub(crate) input: PathBuf,
    /// What the node gets for a proof, or all nodes for those of all parts: an amount, or FROM..TO for a price that rises until a node takes
    /// the job.
    #[arg(long, default_value = "10", value_parser = price)]
    pub(crate) price: Price,
    /// Seconds in which such a price rises.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) ramp: u64,
    /// What the node must put at stake.
    #[arg(long, default_value_t = 20)]
    pub(crate) stake: u128,
    /// The share of answers that are drawn to be proven, between 0 and 1; all where none is named.
    #[arg(long, value_name = "SHARE", value_parser = rate)]
    pub(crate) sampled: Option<u32>,
    /// Have the lot drawn by a round of drand that comes after the answer, in place of a secret of the
    /// buyer's: he need not come back. Anybody hands the round in, by `job draw`.
    #[arg(long, requires = "sampled")]
    pub(crate) beacon: bool,
    /// Seal the input to nodes with these keys, which alone can have the job then: the coordinator does
    /// not see it. Keys that hide the input from everybody else are made by `zkinfer setup --commit
    /// input`.
    #[arg(long, value_name = "KEY", value_delimiter = ',', conflicts_with = "manifest")]
    pub(crate) seal_to: Vec<Hex<32>>,
    /// What opens the commitment to the input, from `zkinfer commit`: with it, the buyer can replay the
    /// answer. By default a new one is drawn, and kept nowhere.
    #[arg(long, value_name = "ZKOPENING", requires = "seal_to")]
    pub(crate) input_opening: Option<PathBuf>,
    /// Seconds until the proof must be there.
    #[arg(long, default_value_t = 600)]
    pub(crate) seconds: u64,
    /// Take an input of which elements lie outside the calibrated range, at the bounds of that range.
    #[arg(long)]
    pub(crate) clamp: bool,
}

#[derive(Arguments)]
pub(crate) struct Draw {
    #[command(flatten)]
    pub(crate) named: Named,
    /// The signature of the round, 96 hexadecimal digits.
    #[arg(long, required_unless_present = "relay")]
    pub(crate) signature: Option<Hex<48>>,
    /// A relay of drand to ask for it, as http://127.0.0.1:8080.
    #[arg(long, value_name = "URL", conflicts_with = "signature")]
    pub(crate) relay: Option<String>,
}

#[derive(Arguments)]
pub(crate) struct Named {
    #[command(flatten)]
    pub(crate) buyer: Buyer,
    /// The job, as `submit` has named it.
    pub(crate) job: Hex<32>,
    /// Where to write the proof, if the job was paid; for a model in parts a folder, for all of them.
    #[arg(long, short)]
    pub(crate) output: Option<PathBuf>,
}
