//! A model in four parts on four nodes, over HTTP and with real proofs: one that is killed, and one that
//! lies in every way there is.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use tempfile::TempDir;
use zkinfer::{
    Device, InputData, Making, Model, PartFiles, Parts, PartsExpectation, Recipe, SrsPolicy,
    verifier::{ClaimedValues, ProofFile},
};
use zkinfer_node::{
    Capabilities, Client, Config, Decimal, Division, Hex, Identity, JobRequest, JobView, Offer,
    Order, PartsOption, Rules, ServedPart, SignedAnswer, Wait, WorkerOptions,
};
use zkinfer_settlement::{JobId, ValuesDigest};

use crate::{
    common::{
        Coordinator, DAY, Node, PLAY_MONEY, PRICE, STAKE, config, end_of, identity, now, options,
    },
    crash::{Killed, command, free_port, persist, started},
};

pub(crate) const PARTS: usize = 4;

type Lie<'a> = &'a dyn Fn(&mut SignedAnswer);

/// mnist_lenet in four parts, and what the whole of it gives on its input.
pub(crate) struct Split {
    pub(crate) folder: TempDir,
    pub(crate) model: PathBuf,
    pub(crate) parts: Parts,
    input: Vec<i64>,
    output: Vec<i64>,
}

pub(crate) static SPLIT: LazyLock<Split> = LazyLock::new(|| {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/mnist_lenet");
    let (folder, path) = (tempfile::tempdir().unwrap(), zoo.join("model.onnx"));
    let model = Model::open(&path).unwrap();
    let samples = InputData::read_samples(&zoo.join("samples.npz")).unwrap();
    let recipe = Recipe { samples: Some(samples), ..Recipe::default() };
    let quantized = model.quantize(&recipe, &folder.path().join("none"), &[]).unwrap();
    let (files, device) = (PartFiles::in_folder(folder.path()), Device::default());
    let count = NonZeroU32::new(4).unwrap();
    let making = Making { count, files: &files, srs: None, device: &device, accuracy: None };
    let parts = Parts::make(&model, &quantized, making, &|_| ()).unwrap();
    let input = model.read_input(&zoo.join("input.json")).unwrap();
    let run = model.run(&quantized, &input).unwrap();
    let output = run.execution.outputs(&quantized.graph).concat();
    Split { folder, model: path, parts, input: run.integers.concat(), output }
});

impl Split {
    fn manifest(&self) -> PathBuf {
        self.folder.path().join("model.zkparts")
    }

    fn option(&self) -> PartsOption {
        PartsOption { manifest: self.manifest(), model: self.model.clone() }
    }

    pub(crate) fn request(&self, buyer: &Identity, chain_id: u64, nonce: u64) -> JobRequest {
        let order = Order {
            chain_id: Decimal(chain_id),
            buyer: buyer.public_key(),
            model: Hex(self.parts.manifest.root().0),
            input: Hex(ValuesDigest::of(&ClaimedValues::Public(self.input.clone())).0.0),
            nonce: Decimal(nonce),
            price: Decimal(PRICE),
            stake: Decimal(STAKE),
            deadline: now() + DAY,
            sampling: None,
            ramp: None,
            sealed: None,
        };
        order.request(buyer, self.input.clone())
    }

    /// The proofs of all parts are what a verifier takes, and pay those that the job names.
    pub(crate) fn check(&self, client: &Client, request: &JobRequest, view: &JobView) {
        let parts = view.parts.as_ref().unwrap();
        let proof = |part: &zkinfer_node::PartView| {
            ProofFile::decode(&client.proof(JobId(part.job.0)).unwrap()).unwrap()
        };
        let proofs: Vec<ProofFile> = parts.iter().map(proof).collect();
        let payees = parts.iter().map(|part| part.node.unwrap().0).collect();
        let (manifest, job) = (&self.parts.manifest, request.order.job().0);
        let policy = SrsPolicy::AllowInsecureDev;
        let expected = PartsExpectation::new(manifest, &self.parts.keys, job, policy);
        let verified = expected.payees(Some(payees)).check(&proofs).unwrap();
        assert_eq!(verified.input().unwrap().public(), Some(&self.input[..]));
        assert_eq!(verified.output().unwrap().public(), Some(&self.output[..]));
        assert_eq!(view.answer.as_ref().unwrap().output, self.output);
    }
}

pub(crate) fn parts_config(folder: &Path) -> Config {
    Config { keys: Vec::new(), manifests: vec![SPLIT.manifest()], ..config(folder) }
}

fn node(url: &str, folder: &Path) -> Node {
    Node::with(WorkerOptions { parts: vec![SPLIT.option()], slots: 1, ..options(url, folder) })
}

/// A node that is played by hand.
pub(crate) struct Played<'a> {
    client: &'a Client,
    pub(crate) identity: Identity,
    parts: Vec<ServedPart>,
    chain_id: u64,
}

impl<'a> Played<'a> {
    pub(crate) fn new(client: &'a Client, chain_id: u64, byte: u8) -> Self {
        let identity = identity(byte);
        client.post_bond(&identity, 200).unwrap();
        let parts = ServedPart::load(&SPLIT.manifest(), &SPLIT.model, &[], None).unwrap();
        let capabilities = Capabilities {
            models: parts.iter().map(|part| Hex(part.digest().0.0)).collect(),
            slots: 1,
            device: "cpu".to_owned(),
            memory_bytes: 0,
            asks: None,
            key: None,
        };
        assert_eq!(client.hello(&identity, capabilities).unwrap().held, []);
        Self { client, identity, parts, chain_id }
    }

    pub(crate) fn offer(&self) -> Offer {
        let polled = std::iter::repeat_with(|| self.client.poll(&self.identity).unwrap());
        let offer = polled.into_iter().find_map(|one| one).unwrap();
        let part = self.part(&offer);
        part.check(self.chain_id, &offer).unwrap();
        offer
    }

    fn part(&self, offer: &Offer) -> &ServedPart {
        &self.parts[usize::try_from(offer.part.as_ref().unwrap().index).unwrap()]
    }

    pub(crate) fn answer(&self, offer: &Offer) -> SignedAnswer {
        let part = self.part(offer);
        part.answer(&self.identity, offer, &part.run(offer).unwrap())
    }

    /// A proof of what an offer says.
    pub(crate) fn proof(&self, offer: &Offer) -> Vec<u8> {
        let part = self.part(offer);
        part.prove(&self.identity, offer, &part.run(offer).unwrap()).unwrap()
    }
}

#[test]
fn four_parts_on_four_nodes_complete_though_one_node_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = parts_config(&folder.path().join("market"));
    // A node that needs longer gets the part again.
    config.rules = Rules { answer_seconds: 3, max_deliveries: u32::MAX, ..config.rules };
    let coordinator = Coordinator::start(&config);
    let (client, chain_id) = coordinator.client();
    // It takes the first part, and is never heard of again.
    let gone = Played::new(&client, chain_id, 9);
    let buyer = identity(1);
    let request = SPLIT.request(&buyer, chain_id, 1);
    let job = request.order.job();
    let view = client.submit(&request, Wait::None).unwrap();
    assert_eq!(view.parts.as_ref().map(Vec::len), Some(PARTS));
    assert_eq!(gone.offer().part.unwrap().index, 0);
    let nodes: Vec<Node> = (0..4)
        .map(|node| self::node(&coordinator.url, &folder.path().join(node.to_string())))
        .collect();
    let view = end_of(&client, job);
    assert_eq!((view.state.as_str(), view.durable), ("settled", true));
    SPLIT.check(&client, &request, &view);
    let play_money = u128::from(PLAY_MONEY);
    let parts = view.parts.clone().unwrap();
    let gone_account = client.account(gone.identity.address()).unwrap();
    assert_eq!(
        (gone_account.balance, gone_account.bond),
        (Decimal(play_money - 200), Decimal(200))
    );
    for node in &nodes {
        let account = node.identity.address();
        let own = parts.iter().filter(|part| part.node == Some(Hex(account.0)));
        let earned: u128 = own.map(|part| part.price.0).sum();
        let view = client.account(account).unwrap();
        assert_eq!((view.balance, view.bond), (Decimal(play_money - 200 + earned), Decimal(200)));
    }
    let balance = client.account(buyer.address()).unwrap().balance;
    assert_eq!(balance, Decimal(play_money - PRICE));
    // The same order once more is the same job, and costs nothing.
    assert_eq!(client.submit(&request, Wait::None).unwrap().state, "settled");
    assert_eq!(client.account(buyer.address()).unwrap().balance, Decimal(play_money - PRICE));
    let (_, market) = Client::connect(&coordinator.url).unwrap();
    let (entries, _) = client.log(market.coordinator).unwrap();
    let opened: Vec<_> = entries.iter().filter(|entry| entry.event == "opened").collect();
    assert_eq!(opened.len(), PARTS);
    assert!(opened.iter().all(|entry| entry.whole == Some(Hex(job.0))));
    let count = |event: &str| entries.iter().filter(|entry| entry.event == event).count();
    assert_eq!((count("delivered"), count("settled")), (PARTS, PARTS));
    nodes.into_iter().for_each(Node::stop);
    // A coordinator that is started anew knows what became of it.
    coordinator.stop();
    let coordinator = Coordinator::start(&config);
    let (client, _) = coordinator.client();
    SPLIT.check(&client, &request, &client.job(job, Wait::None).unwrap());
}

#[test]
fn every_lie_about_a_part_is_refused_by_name_and_costs_the_liar_alone() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&parts_config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let players: Vec<Played<'_>> =
        (10..14).map(|byte| Played::new(&client, chain_id, byte)).collect();
    let request = SPLIT.request(&identity(1), chain_id, 1);
    let job = request.order.job();
    client.submit(&request, Wait::None).unwrap();
    // Whoever gets it answers it; the last part's answer is the buyer's.
    let mut taken: Vec<(&Played<'_>, Offer)> = Vec::new();
    for _ in 0..PARTS {
        let free =
            players.iter().filter(|one| !taken.iter().any(|(other, _)| std::ptr::eq(*one, *other)));
        let polled = free.map(|one| (one, client.poll(&one.identity).unwrap()));
        let (player, offer) =
            polled.into_iter().find_map(|(one, offer)| Some((one, offer?))).unwrap();
        let honest = player.answer(&offer);
        lie_in_answers(player, &offer, &honest);
        client.answer(&honest).unwrap();
        assert_eq!(client.answer(&honest).unwrap_err().problem(), Some("answered"));
        taken.push((player, offer));
    }
    let view = client.job(job, Wait::Answer).unwrap();
    assert_eq!(view.answer.unwrap().output, SPLIT.output);
    lie_in_proofs(&client, &taken);
    assert_eq!(client.job(job, Wait::None).unwrap().state, "staked");
    // Nobody sees a proof before all are paid.
    for (player, offer) in &taken {
        let name = JobId(offer.job.0);
        client.prove(name, player.proof(offer)).unwrap();
        if offer.part.as_ref().unwrap().index < 3 {
            assert_eq!(client.proof(name).unwrap_err().problem(), Some("not-found"));
        }
    }
    let view = end_of(&client, job);
    assert_eq!(view.state, "settled");
    SPLIT.check(&client, &request, &view);
    // Each has its share of the one price, as everybody computes it from the keys.
    let manifest = SPLIT.parts.manifest.clone();
    let shares = Division::of_keys(manifest, &SPLIT.parts.keys).shares(PRICE).unwrap();
    assert_eq!((shares.len(), shares.iter().sum()), (PARTS, PRICE));
    for (player, offer) in &taken {
        let share = shares[usize::try_from(offer.part.as_ref().unwrap().index).unwrap()];
        assert_eq!(offer.price, Decimal(share));
        let account = client.account(player.identity.address()).unwrap();
        let play_money = u128::from(PLAY_MONEY);
        assert_eq!(
            (account.balance, account.bond),
            (Decimal(play_money - 200 + share), Decimal(200))
        );
    }
}

fn lie_in_answers(player: &Played<'_>, offer: &Offer, honest: &SignedAnswer) {
    let is_last = offer.part.as_ref().unwrap().index == 3;
    let lies: [(&str, Lie<'_>); 8] = [
        ("signature", &|answer| answer.signature.0[5] ^= 1),
        ("answer.input", &|answer| answer.answer.input.0[0] ^= 1),
        ("answer.job", &|answer| answer.answer.job.0[0] ^= 1),
        ("answer.model", &|answer| answer.answer.model.0[0] ^= 1),
        ("answer.rate", &|answer| answer.answer.rate = 1),
        ("is not between", &|answer| answer.output[0] = i64::MAX),
        ("integers, the model has", &|answer| answer.output.truncate(1)),
        ("spans", &|answer| match &mut answer.spans {
            Some(spans) => spans[0].hi += 1,
            none => *none = Some(Vec::new()),
        }),
    ];
    for (named, lie) in lies {
        let mut answer = honest.clone();
        lie(&mut answer);
        // Of another job, the coordinator finds none.
        let refused = player.client.answer(&answer).unwrap_err();
        let is_named = refused.to_string().contains(named);
        // What a part takes, the market compares itself; its digest is signed.
        let input = named == "answer.input" && refused.to_string().contains("signature");
        let other_job = named == "answer.job" && refused.problem() == Some("not-found");
        assert!(is_named || input || other_job, "{named}, last: {is_last}: {refused}");
    }
}

fn lie_in_proofs(client: &Client, taken: &[(&Played<'_>, Offer)]) {
    let of = |part: usize| {
        taken
            .iter()
            .find(|(_, offer)| offer.part.as_ref().unwrap().index == u32::try_from(part).unwrap())
            .unwrap()
    };
    let refused = |part: usize, proof: Vec<u8>| {
        let error = client.prove(JobId(of(part).1.job.0), proof).unwrap_err();
        error.problem().unwrap_or("none").to_owned()
    };
    let [(first, one), (second, two), (_, three), (last, four)] = [0, 1, 2, 3].map(of);
    assert_eq!(refused(0, b"garbage".to_vec()), "malformed");
    // The proof of another part, and one by another node.
    assert_eq!(refused(1, first.proof(one)), "part-payee");
    let own_but_other = Offer { part: one.part.clone(), ..one.clone() };
    assert_eq!(refused(1, second.proof(&own_but_other)), "part-job");
    assert_eq!(refused(1, first.proof(two)), "part-payee");
    // The same part of another job, and of another input.
    let mut elsewhere = two.clone();
    elsewhere.order.nonce = Decimal(77);
    assert_eq!(refused(1, second.proof(&elsewhere)), "part-job");
    let mut input = one.clone();
    input.input[0] ^= 1;
    assert_eq!(refused(0, first.proof(&input)), "part-input");
    let mut input = two.clone();
    input.input.reverse();
    assert_eq!(refused(1, second.proof(&input)), "part-taken");
    // Under links of the prover's own.
    let blinded = |offer: &Offer, edit: fn(&mut zkinfer_node::PartOffer)| {
        let mut offer = offer.clone();
        edit(offer.part.as_mut().unwrap());
        offer
    };
    let given = blinded(two, |part| part.given_blinding.as_mut().unwrap()[0][3].0[0] ^= 1);
    assert_eq!(refused(1, second.proof(&given)), "part-given");
    let taken_otherwise =
        blinded(two, |part| part.taken_blinding.as_mut().unwrap()[0][9].0[0] ^= 1);
    assert_eq!(refused(1, second.proof(&taken_otherwise)), "part-taken");
    // A claim that is not what was proven.
    let mut forged = ProofFile::decode(&last.proof(four)).unwrap();
    let mut output = SPLIT.output.clone();
    output[0] ^= 1;
    forged.claim.output = output.into();
    assert_eq!(refused(3, forged.encode().into_bytes()), "part-rejected");
    // It contradicts no answer: nothing is to be had by that.
    let error = client.contradict(JobId(three.job.0), first.proof(one)).unwrap_err();
    assert_eq!(error.problem(), Some("not-found"), "{error}");
}

#[test]
fn an_order_of_parts_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&parts_config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let buyer = identity(1);
    let signed = |edit: &dyn Fn(&mut Order)| {
        let mut order = SPLIT.request(&buyer, chain_id, 1).order;
        edit(&mut order);
        order.request(&buyer, SPLIT.input.clone())
    };
    let sampling = Some(zkinfer_node::Sampling::by_beacon(1));
    let cases = [
        (signed(&|order| order.chain_id = Decimal(1)), "order", "order.chain_id"),
        (signed(&|order| order.model.0[0] ^= 1), "not-found", "there is no model"),
        (
            signed(&|order| order.model = Hex(SPLIT.parts.manifest.parts[0].0.0)),
            "not-found",
            "there is no model",
        ),
        (signed(&|order| order.sampling = sampling.clone()), "order", "order.sampling"),
        (signed(&|order| order.stake = Decimal(0)), "order", "order.stake"),
        (signed(&|order| order.price = Decimal(120_000)), "funds", "120000 are needed"),
        (
            signed(&|order| order.price = Decimal(3)),
            "order",
            "order.price: 3 is not enough for 4 parts",
        ),
        (
            signed(&|order| {
                let (begins, ends) = (now(), now() + 9);
                order.ramp = Some(zkinfer_node::Ramp { from: Decimal(2), begins, ends });
            }),
            "order",
            "order.ramp.from: 2 is not enough",
        ),
        (signed(&|order| order.input.0[0] ^= 1), "order", "its digest is"),
    ];
    for (request, word, named) in cases {
        let refused = client.submit(&request, Wait::None).unwrap_err();
        assert_eq!(refused.problem(), Some(word), "{refused}");
        assert!(refused.to_string().contains(named), "{refused}");
    }
    // Whoever did not order it cannot take it back.
    let request = SPLIT.request(&buyer, chain_id, 1);
    let job = request.order.job();
    client.submit(&request, Wait::None).unwrap();
    assert_eq!(client.cancel(&identity(2), job).unwrap_err().problem(), Some("buyer"));
    let view = client.cancel(&buyer, job).unwrap();
    assert_eq!((view.state.as_str(), view.parts.unwrap().len()), ("cancelled", PARTS));
    assert_eq!(client.cancel(&buyer, job).unwrap_err().problem(), Some("over"));
    let balance = client.account(buyer.address()).unwrap().balance;
    assert_eq!(balance, Decimal(u128::from(PLAY_MONEY)));
}

fn node_process(folder: &Path, url: &str, number: usize) -> Killed {
    let mut command = command();
    command.args(["node", "--market", url, "--bond", "200", "--slots", "1", "--parts"]);
    command.arg(SPLIT.manifest()).arg(&SPLIT.model);
    command.arg("--identity").arg(folder.join(format!("node-{number}.key")));
    started(&mut command)
}

/// Processes, as users start them: one node is killed while it has a part, and is not started again.
#[test]
fn a_node_process_that_is_killed_with_a_part_loses_it_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let file = folder.path().join("market.toml");
    let rules = "max_stake = 20\nprobation_jobs = 1\nheartbeat_seconds = 3600\n";
    let times = "answer_seconds = 3\nprove_seconds = 20\nmax_deliveries = 4000000000\n";
    std::fs::write(&file, format!("[rules]\n{rules}{times}")).unwrap();
    let mut command = command();
    command.arg("serve").arg("--config").arg(&file).args(["--allow-insecure-srs"]);
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    command.args(["--play-money", &PLAY_MONEY.to_string()]);
    command.arg("--folder").arg(folder.path().join("market"));
    command.arg("--manifest").arg(SPLIT.manifest());
    let _market = started(&mut command);
    let url = format!("http://127.0.0.1:{port}");
    let mut nodes: Vec<Killed> =
        (0..4).map(|number| node_process(folder.path(), &url, number)).collect();
    let (client, market) = Client::connect(&url).unwrap();
    let request = SPLIT.request(&identity(1), market.chain_id.0, 1);
    let job = request.order.job();
    client.submit(&request, Wait::None).unwrap();
    let accounts: Vec<Hex<20>> = (0..4)
        .map(|number| {
            let path = folder.path().join(format!("node-{number}.key"));
            Hex(Identity::load_or_create(&path).unwrap().address().0)
        })
        .collect();
    let holder = loop {
        let view = persist(|| client.job(job, Wait::None));
        let parts = view.parts.as_ref().unwrap();
        let held = parts.iter().rev().find_map(|part| part.node.filter(|_| !part.proven));
        if let Some(node) = held {
            break accounts.iter().position(|account| *account == node);
        }
        // On a machine that lets this process wait for long, it may all be over.
        if view.at.is_some() {
            break None;
        }
    };
    holder.into_iter().for_each(|holder: usize| nodes[holder].kill());
    let view = std::iter::repeat_with(|| persist(|| client.job(job, Wait::End)))
        .find(|view| view.at.is_some())
        .unwrap();
    assert_eq!(view.state, "settled");
    SPLIT.check(&client, &request, &view);
    let total: u128 = std::iter::once(identity(1).address())
        .chain(accounts.iter().map(|account| zkinfer_settlement::Address(account.0)))
        .map(|account| client.account(account).unwrap())
        .map(|account| account.balance.0 + account.bond.0)
        .sum();
    assert_eq!(total, 5 * u128::from(PLAY_MONEY), "no money has come into being or was lost");
}
