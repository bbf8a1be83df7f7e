//! What a buyer does: each job is shown as one JSON object.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use zkinfer::{
    PartFiles,
    models::{InputFile, TensorSpec},
    prover::{draw_blinding, files},
    read, read_input_blinding,
    verifier::{Manifest, TensorLayout, VerifyingKey, Visibility},
};
use zkinfer_node::{
    ALWAYS, Client, Decimal, Hex, Identity, JobView, Order, PartView, Ramp, Sampling, SealedInput,
    Unsealed, Wait, is_drawn, relayed, round_of, secret, time_of,
};
use zkinfer_settlement::JobId;

use crate::{
    args::{Draw, Job, Named, Submit},
    output::say,
};

pub(crate) fn run(job: &Job) -> Result<ExitCode> {
    match job {
        Job::Submit(args) => submit(args),
        Job::Status(args) => named(args, |client, job| Ok(client.job(job, Wait::None)?)),
        Job::Wait(args) => named(args, wait),
        Job::Draw(args) => named(&args.named, |client, job| draw(client, job, args)),
        Job::Cancel(args) => {
            let buyer = Identity::load_or_create(&args.buyer.identity)?;
            named(args, move |client, job| Ok(client.cancel(&buyer, job)?))
        }
    }
}

fn submit(args: &Submit) -> Result<ExitCode> {
    let buyer = Identity::load_or_create(&args.buyer.identity)?;
    let wanted = Wanted::read(args)?;
    let input = wanted.input(args)?;
    let (client, market) = Client::connect(&args.buyer.market)?;
    let model = wanted.name();
    if !market.models.contains(&model) && !market.manifests.contains(&model) {
        bail!("the coordinator does not serve the model {model}");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs();
    let mut order = Order {
        chain_id: market.chain_id,
        buyer: buyer.public_key(),
        model,
        input: Hex(input.digest(wanted.first()).context("an input of the model")?.0.0),
        nonce: Decimal(zkinfer_node::random_nonce().context("no random bytes")?),
        price: Decimal(args.price.most),
        stake: Decimal(args.stake),
        deadline: now.saturating_add(args.seconds),
        sampling: None,
        ramp: args.price.from.map(|from| {
            // From now on by the coordinator's clock, which is the one that counts.
            let (from, begins) = (Decimal(from), market.now);
            Ramp { from, begins, ends: begins.saturating_add(args.ramp) }
        }),
        sealed: None,
    };
    order.sampling = args.sampled.map(|rate| match args.beacon {
        true => Sampling::by_beacon(rate),
        false => Sampling::new(rate, &order, &buyer),
    });
    let request = if args.seal_to.is_empty() {
        order.request(&buyer, input.values)
    } else {
        let seal = |node: &Hex<32>| SealedInput::new(*node, &order, &input);
        let boxes = args.seal_to.iter().map(seal).collect::<Result<Vec<_>, _>>();
        let boxes = boxes.context("a key of --seal-to")?;
        order.sealed_request(&buyer, boxes)
    };
    let mut view = client.submit(&request, Wait::Answer)?;
    while view.answer.is_none() && view.at.is_none() {
        eprintln!("job {}: no answer yet", view.job);
        view = client.job(request.order.job(), Wait::Answer)?;
    }
    wanted.check(&view, &request.order)?;
    let view = reveal(&client, &buyer, view)?;
    show(&view, Some(wanted.last()))?;
    Ok(ExitCode::SUCCESS)
}

/// Reveals the secret of a sampled order whose answer is known, so that its lot is drawn. The answer
/// was checked, so it is the node's own and can no longer change.
fn reveal(client: &Client, buyer: &Identity, view: JobView) -> Result<JobView> {
    let (Some(sampling), Some(answer)) = (&view.order.sampling, &view.answer) else {
        return Ok(view);
    };
    if answer.answer.rate >= ALWAYS {
        return Ok(view);
    }
    if sampling.is_by_beacon() {
        let round = round_of(&answer.answer);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock")?.as_secs();
        if now >= time_of(round) {
            bail!("the answer has come after round {round} of drand, by which its lot is drawn");
        }
        eprintln!("job {}: round {round} of drand draws the lot", view.job);
        return Ok(view);
    }
    let secret = secret(sampling.rate, &view.order, buyer);
    let revealed = client.reveal(JobId(view.job.0), secret)?;
    let expected = if is_drawn(&secret, &answer.answer) { "staked" } else { "accepted" };
    if revealed.state != expected && revealed.at.is_none() {
        bail!("the coordinator draws another lot: the job is {}", revealed.state);
    }
    Ok(JobView { answer: revealed.answer.clone().or(view.answer), ..revealed })
}

/// The real numbers of an input, by the tensors of a key.
pub(crate) fn reals(path: &Path, key: &VerifyingKey) -> Result<Vec<Vec<f64>>> {
    let spec = |tensor: &TensorLayout| TensorSpec {
        name: tensor.name.clone(),
        shape: tensor
            .shape
            .iter()
            .map(|&size| usize::try_from(size).unwrap_or(usize::MAX))
            .collect(),
    };
    let specs: Vec<TensorSpec> = key.parts().layout.inputs.iter().map(spec).collect();
    let place = || format!("the input {}", path.display());
    let file = InputFile::read(path).with_context(place)?;
    let tensors = file.tensors(&specs.iter().collect::<Vec<_>>()).with_context(place)?;
    Ok(tensors.iter().map(|one| one.iter().copied().map(f64::from).collect()).collect())
}

/// The integers that the input's real numbers stand for under a key.
pub(crate) fn integers(path: &Path, key: &VerifyingKey, clamp: bool) -> Result<Vec<i64>> {
    let layout = &key.parts().layout.inputs;
    let place = || format!("the input {}", path.display());
    let mut integers = Vec::new();
    for (tensor, reals) in layout.iter().zip(reals(path, key)?) {
        let quantized = tensor.quantize(&reals).with_context(place)?;
        if quantized.clamped > 0 && !clamp {
            bail!(
                "{} elements of {} in {} lie outside the range that the model was calibrated for; \
                 with --clamp they are moved to its bounds",
                quantized.clamped,
                tensor.name,
                path.display()
            );
        }
        integers.extend(quantized.values);
    }
    Ok(integers)
}

/// What a buyer orders a run of.
enum Wanted {
    Model(Box<VerifyingKey>),
    Parts(Manifest, Vec<VerifyingKey>),
}

impl Wanted {
    fn read(args: &Submit) -> Result<Self> {
        if let Some(path) = &args.manifest {
            let files = PartFiles { manifest: path.clone() };
            let manifest = files.read_manifest()?;
            let keys = files.read_keys(&manifest)?;
            if keys.len() < 2 {
                bail!("{} has no parts", path.display());
            }
            return Ok(Self::Parts(manifest, keys));
        }
        let path = args.key.as_ref().context("name a key, or a manifest")?;
        Ok(Self::Model(Box::new(read::key(path)?)))
    }

    fn name(&self) -> Hex<32> {
        match self {
            Self::Model(key) => Hex(key.digest().0.0),
            Self::Parts(manifest, _) => Hex(manifest.root().0),
        }
    }

    /// The integers of the input, and what hides them where claims under the key do.
    fn input(&self, args: &Submit) -> Result<Unsealed> {
        let values = integers(&args.input, self.first(), args.clamp)?;
        let hidden = self.first().parts().layout.input_visibility == Visibility::Committed;
        if hidden && args.seal_to.is_empty() {
            bail!("claims under this key hide their input: seal it to a node with --seal-to");
        }
        let blinding = match &args.input_opening {
            Some(path) => Some(read_input_blinding(path, self.first(), &values)?),
            None => hidden.then(draw_blinding),
        };
        Ok(Unsealed { values, blinding })
    }

    /// The key that takes the input.
    fn first(&self) -> &VerifyingKey {
        match self {
            Self::Model(key) => key,
            Self::Parts(_, keys) => &keys[0],
        }
    }

    /// The key that gives the output.
    fn last(&self) -> &VerifyingKey {
        match self {
            Self::Model(key) => key,
            Self::Parts(_, keys) => &keys[keys.len() - 1],
        }
    }

    /// A coordinator is not believed: the job must be the one ordered, the answer its node's.
    fn check(&self, view: &JobView, order: &Order) -> Result<()> {
        if JobId(view.job.0) != order.job() || view.order != *order {
            bail!("the coordinator shows another job than the one that was ordered");
        }
        let Some(answer) = &view.answer else { return Ok(()) };
        match self {
            Self::Model(key) => answer.check(order, key),
            Self::Parts(manifest, keys) => {
                answer.check_part(order, manifest, keys.len() - 1, self.last())
            }
        }
        .context("the coordinator shows an answer that is none")?;
        let node = Hex(answer.answer.node.address().0);
        if view.node.is_some_and(|shown| shown != node) {
            bail!("the coordinator shows an answer of another node than the one that has the job");
        }
        Ok(())
    }
}

fn named(
    args: &Named,
    operation: impl FnOnce(&Client, JobId) -> Result<JobView>,
) -> Result<ExitCode> {
    let (client, _) = Client::connect(&args.buyer.market)?;
    let job = JobId(args.job.0);
    let view = operation(&client, job)?;
    if view.order.job() != job {
        bail!("the coordinator shows another job");
    }
    if let Some(path) = &args.output {
        if view.state != "settled" {
            bail!("there is no proof: the job is {}", view.state);
        }
        for (path, job) in proofs(&view, path) {
            let proof = client.proof(job)?;
            files::write_whole(&path, |file| std::io::Write::write_all(file, &proof))
                .with_context(|| format!("the proof {}", path.display()))?;
        }
    }
    show(&view, None)?;
    // Rejected is an answer: a job that was waited for and not done.
    let failed = ["refunded", "slashed"].contains(&view.state.as_str());
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Where the proofs of a job go: one file, or for a model in parts a folder.
fn proofs(view: &JobView, path: &Path) -> Vec<(PathBuf, JobId)> {
    let Some(parts) = &view.parts else { return vec![(path.to_owned(), JobId(view.job.0))] };
    let of_part = |(index, part): (usize, &PartView)| {
        (path.join(format!("part-{index}.zkproof")), JobId(part.job.0))
    };
    parts.iter().enumerate().map(of_part).collect()
}

fn draw(client: &Client, job: JobId, args: &Draw) -> Result<JobView> {
    let signature = match (&args.signature, &args.relay) {
        (Some(signature), _) => *signature,
        (None, Some(relay)) => {
            let answer = client.job(job, Wait::None)?.answer.context("there is no answer yet")?;
            relayed(relay, round_of(&answer.answer))?
        }
        (None, None) => bail!("name a signature, or a relay"),
    };
    Ok(client.draw(job, signature)?)
}

fn wait(client: &Client, job: JobId) -> Result<JobView> {
    loop {
        let view = client.job(job, Wait::End)?;
        if view.at.is_some() {
            return Ok(view);
        }
    }
}

fn show(view: &JobView, key: Option<&VerifyingKey>) -> Result<()> {
    let mut shown = serde_json::to_value(view)?;
    if let (Some(key), Some(answer)) = (key, &view.answer) {
        let outputs = &key.parts().layout.outputs;
        let reals = zkinfer::real_values(outputs, &answer.output);
        let named = outputs.iter().map(|tensor| tensor.name.clone()).zip(reals);
        shown["output"] = serde_json::to_value(named.collect::<Vec<_>>())?;
    }
    say(serde_json::to_string_pretty(&shown)?)?;
    Ok(())
}
