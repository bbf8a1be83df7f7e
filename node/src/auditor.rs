//! What anybody can compute from a coordinator's log.

use std::{collections::BTreeMap, fs, process::ExitCode};

use anyhow::{Context, Result, bail};
use zkinfer::{SrsPolicy, prover::files};
use zkinfer_node::{Bundle, Client, Dispute, Hex, JobRequest, Report, Served, Wait, chain_weights};
use zkinfer_settlement::JobId;

use crate::{args, buyer, central, output::say};

pub(crate) fn bundle(args: &args::Bundle) -> Result<ExitCode> {
    let (client, market) = Client::connect(&args.market)?;
    let job = JobId(args.job.0);
    if client.job(job, Wait::None)?.parts.is_some() {
        bail!(
            "the job is of a model in parts: `job wait {job} -o FOLDER` keeps their proofs, and \
             `zkinfer verify --manifest` checks them"
        );
    }
    Bundle::fetch(&client, market, job)?.write(&args.output)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn check(args: &args::Check) -> Result<ExitCode> {
    let policy =
        if args.allow_insecure_srs { SrsPolicy::AllowInsecureDev } else { SrsPolicy::CeremonyOnly };
    let bundle = Bundle::read(&args.folder)?;
    let mut code = ExitCode::SUCCESS;
    for finding in bundle.check(args.coordinator, policy) {
        match finding.failure {
            None => say(format_args!("holds: {}", finding.check))?,
            Some(failure) => {
                say(format_args!("FAILS: {}: {failure}", finding.check))?;
                code = ExitCode::from(1);
            }
        }
    }
    say(format_args!("the job is {}", bundle.job.state))?;
    Ok(code)
}

pub(crate) fn report(args: &args::ReportBeside) -> Result<ExitCode> {
    let mut shown = serde_json::to_value(computed(&args.log)?)?;
    if let Some(central) = central::measure(&args.beside)? {
        shown["central_ms"] = serde_json::to_value(central)?;
    }
    say(serde_json::to_string_pretty(&shown)?)?;
    Ok(ExitCode::SUCCESS)
}

/// The report of a log that was checked.
fn computed(args: &args::Report) -> Result<Report> {
    let (client, market) = Client::connect(&args.market)?;
    let coordinator = args.coordinator.unwrap_or(market.coordinator);
    let (entries, chain) = client.log(coordinator)?;
    Ok(zkinfer_node::report(&entries, chain.head()))
}

pub(crate) fn weights(args: &args::Weights) -> Result<ExitCode> {
    let place = || format!("the numbers {}", args.uids.display());
    let text = fs::read(&args.uids).with_context(place)?;
    let numbers: BTreeMap<String, u16> = serde_json::from_slice(&text).with_context(place)?;
    let mut uids = BTreeMap::<Hex<20>, u16>::new();
    for (account, uid) in numbers {
        let account: Hex<20> = account.parse().with_context(place)?;
        if uids.values().any(|known| *known == uid) {
            bail!("{}: the number {uid} is given twice", args.uids.display());
        }
        uids.insert(account, uid);
    }
    // By their numbers, as the SDK sorts them.
    let nodes = computed(&args.log)?.nodes;
    let known = nodes.iter().filter_map(|node| Some((*uids.get(&node.node)?, node.weight)));
    let weights: BTreeMap<u16, f64> = known.collect();
    let (uids, weights): (Vec<u16>, Vec<f64>) = weights.into_iter().unzip();
    let chain = chain_weights(&uids, &weights, args.limit)?;
    let shown = serde_json::json!({ "uids": chain.uids, "values": chain.values });
    say(shown)?;
    Ok(ExitCode::SUCCESS)
}

/// Disputes are smaller than this.
const MAX_DISPUTE_BYTES: u64 = 1 << 28;

pub(crate) fn replay(args: &args::Replay) -> Result<ExitCode> {
    let served = Served::load(&args.model, args.srs.as_deref())?;
    if let Some(path) = &args.check {
        let place = || format!("the dispute {}", path.display());
        let bytes = files::read_bounded(path, MAX_DISPUTE_BYTES).with_context(place)?;
        let dispute: Dispute = serde_json::from_slice(&bytes).with_context(place)?;
        return Ok(match dispute.check(&served.graph, served.digest()) {
            Ok(fault) => {
                say(format_args!("holds: {fault}: {}", dispute.answer.node))?;
                ExitCode::SUCCESS
            }
            Err(error) => {
                say(format_args!("FAILS: {error}"))?;
                ExitCode::from(1)
            }
        });
    }
    let (Some(job), Some(input)) = (args.job, &args.input) else { bail!("no job is named") };
    let (client, _) = Client::connect(&args.market)?;
    let view = client.job(JobId(job.0), Wait::None)?;
    let input = buyer::integers(input, served.key(), args.clamp)?;
    if view.order.sealed.is_some() {
        bail!("the input of the job is sealed: its answer is proven, or nobody can replay it");
    }
    let (order, signature) = (view.order, view.signature);
    let request = JobRequest { order, signature, input, sealed: None };
    request.check(request.order.chain_id.0, served.key())?;
    if request.order.job() != JobId(job.0) {
        bail!("the coordinator shows another job");
    }
    let answer = view.answer.context("nobody has answered the job")?;
    answer.check(&request.order, served.key()).context("the answer is none")?;
    let Some(dispute) = Dispute::find(&served, &request, &answer)? else {
        say("the answer is what the model computes, step by step")?;
        return Ok(ExitCode::SUCCESS);
    };
    say(dispute.check(&served.graph, served.digest())?)?;
    if let Some(path) = &args.output {
        let text = serde_json::to_vec_pretty(&dispute)?;
        files::write_whole(path, |file| std::io::Write::write_all(file, &text))
            .with_context(|| format!("the dispute {}", path.display()))?;
    }
    Ok(ExitCode::from(1))
}
