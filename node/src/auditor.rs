//! What anybody can compute from a coordinator's log.

use std::{collections::BTreeMap, fs, process::ExitCode};

use anyhow::{Context, Result, bail};
use zkinfer::{
    SrsPolicy,
    prover::files,
    read_input_blinding,
    verifier::{VerifyingKey, Visibility},
};
use zkinfer_node::{
    Bundle, Client, Dispute, Hex, Identity, JobView, Order, Report, Served, Unsealed, Wait,
    chain_weights,
};
use zkinfer_settlement::JobId;

use crate::{args, buyer, central, output::say};

pub(crate) fn bundle(args: &args::Bundle) -> Result<ExitCode> {
    let (client, market) = Client::connect(&args.market)?;
    let job = JobId(args.job.0);
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
        return Ok(match dispute.check(&served.graph, served.key()) {
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
    let job = JobId(args.job.context("no job is named")?.0);
    let (client, _) = Client::connect(&args.market)?;
    let JobView { order, signature, answer, .. } = client.job(job, Wait::None)?;
    if order.job() != job || !order.is_signed(&signature) {
        bail!("the coordinator shows another job, or one that its buyer has not signed");
    }
    if order.model() != served.digest() {
        bail!("the job is of the model {}, this is {}", order.model(), served.digest());
    }
    let input = input_of(args, &client, &order, served.key())?;
    input.check(&order, served.key()).context("the input is not that of the order")?;
    let answer = answer.context("nobody has answered the job")?;
    answer.check(&order, served.key()).context("the answer is none")?;
    let Some(dispute) = Dispute::find(&served, &order, &input, &answer)? else {
        say("the answer is what the model computes, step by step")?;
        return Ok(ExitCode::SUCCESS);
    };
    say(dispute.check(&served.graph, served.key())?)?;
    if let Some(path) = &args.output {
        let text = serde_json::to_vec_pretty(&dispute)?;
        files::write_whole(path, |file| std::io::Write::write_all(file, &text))
            .with_context(|| format!("the dispute {}", path.display()))?;
    }
    Ok(ExitCode::from(1))
}

/// The input of a job, from its buyer's files or out of the box of a node.
fn input_of(
    args: &args::Replay,
    client: &Client,
    order: &Order,
    key: &VerifyingKey,
) -> Result<Unsealed> {
    if let Some(path) = &args.identity {
        let node = Identity::load(path)?;
        let sealed = client.sealed_box(&node, order.job())?;
        return sealed.open(&node, order, key).context("the box of the node");
    }
    let path = args.input.as_ref().context("no input is named")?;
    let values = buyer::integers(path, key, args.clamp)?;
    let blinding = args.input_opening.as_deref();
    let blinding = blinding.map(|path| read_input_blinding(path, key, &values)).transpose()?;
    if blinding.is_none() && key.parts().layout.input_visibility == Visibility::Committed {
        bail!("claims under this key hide their input: name what opens it with --input-opening");
    }
    Ok(Unsealed { values, blinding })
}
