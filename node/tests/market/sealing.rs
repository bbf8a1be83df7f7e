//! Inputs that the coordinator does not read: sealed to nodes, opened, run and proven; and buyers who seal
//! something else than their orders say.

use std::{path::PathBuf, sync::LazyLock};

use tempfile::TempDir;
use zkinfer::{
    Device, InputData, KeyFiles, Keys, Model, Options, Quantized, Recipe, Side, SrsPolicy,
    prover::draw_blinding,
    verifier::{ClaimedValues, Expectation, ProofFile, VerifyingKey},
};
use zkinfer_node::{
    BoxFault, Bundle, Client, Config, Decimal, Hex, HexBytes, Identity, JobRequest, Order,
    SealError, SealedInput, Unsealed, Wait, WorkerOptions, digest_of,
};
use zkinfer_settlement::{JobId, ValuesDigest};

use crate::common::{
    Coordinator, DAY, Node, PLAY_MONEY, PRICE, ZOO, config, end_of, identity, options, request,
};

type Sealing<'a> = &'a dyn Fn(&Order) -> SealedInput;

/// digits_mlp under a key whose claims hide their input.
pub(crate) struct Hidden {
    folder: TempDir,
    pub(crate) quantized: Quantized,
    pub(crate) keys: Keys,
    input: Vec<i64>,
}

pub(crate) static HIDDEN: LazyLock<Hidden> = LazyLock::new(|| {
    let zoo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hidden.onnx");
    std::fs::copy(zoo.join("model.onnx"), &path).unwrap();
    let model = Model::open(&path).unwrap();
    let samples = Some(InputData::read_samples(&zoo.join("samples.npz")).unwrap());
    let options = Options { committed: [Side::Input].into(), ..Options::default() };
    let recipe = Recipe { samples, options, ..Recipe::default() };
    let files = KeyFiles::beside_model(&path);
    let quantized = model.quantize(&recipe, &files.settings, &[]).unwrap();
    let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ()).unwrap();
    files.store(&keys, &quantized.settings, None).unwrap();
    let input = model.read_input(&zoo.join("input.json")).unwrap();
    let input = model.run(&quantized, &input).unwrap().integers.concat();
    Hidden { folder, quantized, keys, input }
});

impl Hidden {
    pub(crate) fn key(&self) -> &VerifyingKey {
        self.keys.verifying_key()
    }

    pub(crate) fn path(&self, suffix: &str) -> PathBuf {
        self.folder.path().join("hidden").with_extension(suffix)
    }

    /// An input as its node is to have it.
    pub(crate) fn unsealed(&self) -> Unsealed {
        Unsealed { values: self.input.clone(), blinding: Some(draw_blinding()) }
    }

    /// What a node says of itself that serves this model and opens boxes.
    pub(crate) fn capabilities(&self, node: &Identity) -> zkinfer_node::Capabilities {
        zkinfer_node::Capabilities {
            models: vec![Hex(self.key().digest().0.0)],
            slots: 1,
            device: "cpu".to_owned(),
            memory_bytes: 0,
            asks: None,
            key: Some(node.public_key()),
        }
    }

    pub(crate) fn order(
        &self,
        buyer: &Identity,
        chain_id: u64,
        nonce: u64,
        input: &Unsealed,
    ) -> Order {
        let order = request(buyer, chain_id, nonce, DAY).order;
        let digest = input.digest(self.key()).unwrap();
        Order { model: Hex(self.key().digest().0.0), input: Hex(digest.0.0), ..order }
    }

    pub(crate) fn config(&self, folder: &std::path::Path) -> Config {
        Config { keys: vec![self.path("zkvk"), ZOO.path("zkvk")], ..config(folder) }
    }

    pub(crate) fn node(&self, url: &str, folder: &std::path::Path) -> Node {
        let models = vec![self.path("onnx")];
        Node::with(WorkerOptions { models, ..options(url, folder) })
    }
}

pub(crate) fn seal(
    nodes: &[&Identity],
    order: Order,
    buyer: &Identity,
    input: &Unsealed,
) -> JobRequest {
    let boxes =
        nodes.iter().map(|node| SealedInput::new(node.public_key(), &order, input).unwrap());
    let boxes = boxes.collect();
    order.sealed_request(buyer, boxes)
}

#[test]
fn a_box_opens_for_its_node_and_its_order_alone() {
    let (buyer, node) = (identity(1), identity(2));
    let input = HIDDEN.unsealed();
    let order = HIDDEN.order(&buyer, 7, 1, &input);
    let sealed = SealedInput::new(node.public_key(), &order, &input).unwrap();
    let key = HIDDEN.key();
    assert_eq!(sealed.open(&node, &order, key), Ok(input.clone()));
    assert_eq!(sealed.open(&identity(3), &order, key), Err(BoxFault::Closed));
    // Nobody orders a run on what he has only seen the box of.
    let others = [
        Order { buyer: identity(3).public_key(), ..order.clone() },
        Order { chain_id: Decimal(8), ..order.clone() },
        Order { model: Hex([1; 32]), ..order.clone() },
        Order { input: Hex([1; 32]), ..order.clone() },
    ];
    for other in others {
        assert_eq!(sealed.open(&node, &other, key), Err(BoxFault::Closed));
    }
    for byte in [0, 40, sealed.content.0.len() - 1] {
        let mut changed = sealed.clone();
        changed.content.0[byte] ^= 1;
        assert_eq!(changed.open(&node, &order, key), Err(BoxFault::Closed));
    }
    // Two boxes of one input have nothing in common.
    let again = SealedInput::new(node.public_key(), &order, &input).unwrap();
    assert!(again.point != sealed.point && again.content != sealed.content);
    // Keys of small order would open for everybody.
    let mut small = Hex([0; 32]);
    small.0[0] = 1;
    let none = SealError::Point { what: "node" };
    assert_eq!(SealedInput::new(small, &order, &input), Err(none));
    let odd = SealedInput { point: small, ..sealed };
    assert_eq!(odd.check(), Err(SealError::Point { what: "sealed.point" }));
}

#[test]
fn a_node_shows_what_is_in_a_box_and_nothing_that_is_not() {
    let (buyer, node) = (identity(1), identity(2));
    let input = HIDDEN.unsealed();
    let key = HIDDEN.key();
    let honest = seal(&[&node], HIDDEN.order(&buyer, 7, 1, &input), &buyer, &input);
    let (order, boxes) = (&honest.order, honest.sealed.as_deref().unwrap());
    // An honest buyer has nothing to fear.
    let evidence = boxes[0].evidence(&node, order.job()).unwrap();
    assert_eq!(evidence.check(order, boxes, key), Err(SealError::NoFault));
    let mut forged = boxes[0].evidence(&identity(3), order.job()).unwrap();
    assert_eq!(forged.check(order, boxes, key), Err(SealError::NoBox));
    forged.node = node.public_key();
    assert_eq!(forged.check(order, boxes, key), Err(SealError::Proof));
    let edits: [fn(&mut zkinfer_node::BoxEvidence); 3] = [
        |evidence| evidence.challenge.0[0] ^= 1,
        |evidence| evidence.response.0[0] ^= 1,
        |evidence| evidence.response = Hex([0xff; 32]),
    ];
    for edit in edits {
        let mut forged = evidence.clone();
        edit(&mut forged);
        assert_eq!(forged.check(order, boxes, key), Err(SealError::Proof));
    }
    // Another point than the shared one opens nothing: that would be a fault, were it let through.
    let mut forged = evidence.clone();
    forged.shared = boxes[0].point;
    assert_eq!(forged.check(order, boxes, key), Err(SealError::Proof));
    let mut elsewhere = evidence.clone();
    elsewhere.job.0[0] ^= 1;
    assert_eq!(elsewhere.check(order, boxes, key), Err(SealError::NoBox));
    // A box that was slipped in is none of the order's.
    let slipped = [SealedInput::new(node.public_key(), order, &input).unwrap()];
    let of_slipped = slipped[0].evidence(&node, order.job()).unwrap();
    assert_eq!(of_slipped.check(order, &slipped, key), Err(SealError::NoBox));
    // What is not the input that the order says is seen by everybody.
    let mut other = input.clone();
    other.values[0] ^= 1;
    let lie = seal(&[&node], order.clone(), &buyer, &other);
    let boxes = lie.sealed.as_deref().unwrap();
    let evidence = boxes[0].evidence(&node, lie.order.job()).unwrap();
    let fault = evidence.check(&lie.order, boxes, key).unwrap();
    assert!(matches!(fault, BoxFault::Digest { .. }), "{fault}");
}

#[test]
fn a_sealed_input_is_run_and_proven_by_its_node_and_seen_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let market = folder.path().join("market");
    let coordinator = Coordinator::start(&HIDDEN.config(&market));
    let (client, chain_id) = coordinator.client();
    let nodes = ["one", "two"].map(|name| HIDDEN.node(&coordinator.url, &folder.path().join(name)));
    let buyer = identity(1);
    for (nonce, node) in [(1, &nodes[1]), (2, &nodes[0]), (3, &nodes[1])] {
        let input = HIDDEN.unsealed();
        let order = HIDDEN.order(&buyer, chain_id, nonce, &input);
        let request = seal(&[&node.identity], order, &buyer, &input);
        client.submit(&request, Wait::None).unwrap();
        let view = end_of(&client, request.order.job());
        assert_eq!(view.state, "settled");
        assert_eq!(view.node, Some(Hex(node.identity.address().0)), "it alone could have it");
        let proof = client.proof(request.order.job()).unwrap();
        let proof = ProofFile::decode(&proof).unwrap();
        let expected = Expectation::new(HIDDEN.key());
        let evidence = proof.verify(&expected, SrsPolicy::AllowInsecureDev).unwrap();
        assert!(matches!(evidence.claim().input, ClaimedValues::Committed(_)));
        assert_eq!(ValuesDigest::of(&evidence.claim().input), request.order.input());
        let (_, view) = Client::connect(&coordinator.url).unwrap();
        let bundle = Bundle::fetch(&client, view, request.order.job()).unwrap();
        let findings = bundle.check(None, SrsPolicy::AllowInsecureDev);
        assert!(findings.iter().all(|finding| finding.failure.is_none()), "{findings:?}");
    }
    nodes.into_iter().for_each(Node::stop);
    coordinator.stop();
    // Not in the coordinator's files either, in any spelling that it has for integers.
    let text = serde_json::to_string(&HIDDEN.input).unwrap();
    let bytes: Vec<u8> = HIDDEN.input.iter().flat_map(|value| value.to_be_bytes()).collect();
    for file in std::fs::read_dir(&market).unwrap() {
        let content = std::fs::read(file.unwrap().path()).unwrap();
        let holds = |part: &[u8]| content.windows(part.len()).any(|window| window == part);
        assert!(!holds(text.as_bytes()) && !holds(&bytes));
    }
}

/// Under a key that shows inputs, the coordinator sees a sealed one only with its proof.
#[test]
fn an_input_that_its_proof_shows_can_be_sealed_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(&folder.path().join("market")));
    let (client, chain_id) = coordinator.client();
    let node = Node::start(&coordinator.url, folder.path());
    let (buyer, input) = (identity(1), Unsealed { values: ZOO.input.clone(), blinding: None });
    let order = request(&buyer, chain_id, 1, DAY).order;
    let sealed = seal(&[&identity(8), &node.identity], order, &buyer, &input);
    client.submit(&sealed, Wait::None).unwrap();
    assert_eq!(end_of(&client, sealed.order.job()).state, "settled");
    node.stop();
}

#[test]
fn a_buyer_who_seals_something_else_pays_for_it_and_everybody_sees_why() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&HIDDEN.config(&folder.path().join("market")));
    let (client, chain_id) = coordinator.client();
    let node = HIDDEN.node(&coordinator.url, folder.path());
    let buyer = identity(1);
    let honest = HIDDEN.unsealed();
    let mut other = honest.clone();
    other.values[5] ^= 1;
    let shown = Unsealed { blinding: None, values: vec![0; HIDDEN.input.len() + 4] };
    let garbage = |order: &Order| {
        let mut one = SealedInput::new(node.identity.public_key(), order, &honest).unwrap();
        one.content.0[3] ^= 1;
        one
    };
    let boxed = |order: &Order, input: &Unsealed| {
        SealedInput::new(node.identity.public_key(), order, input).unwrap()
    };
    let lies: [(&str, Sealing<'_>); 3] = [
        ("an input of the digest", &|order| boxed(order, &other)),
        ("does not open", &garbage),
        ("holds a blinding where", &|order| boxed(order, &shown)),
    ];
    for (nonce, (named, lie)) in (1..).zip(lies) {
        let order = HIDDEN.order(&buyer, chain_id, nonce, &honest);
        let request = order.clone().sealed_request(&buyer, vec![lie(&order)]);
        client.submit(&request, Wait::None).unwrap();
        let view = end_of(&client, request.order.job());
        assert_eq!((view.state.as_str(), view.price), ("forfeited", Some(Decimal(PRICE))));
        assert_eq!(view.node, Some(Hex(node.identity.address().0)));
        let (evidence, boxes) = (view.fault.clone().unwrap(), view.sealed.clone().unwrap());
        let fault = evidence.check(&view.order, &boxes, HIDDEN.key()).unwrap();
        assert!(fault.to_string().contains(named), "{fault}");
        let (_, market) = Client::connect(&coordinator.url).unwrap();
        let bundle = Bundle::fetch(&client, market, request.order.job()).unwrap();
        let failing = |bundle: &Bundle| {
            let findings = bundle.check(None, SrsPolicy::AllowInsecureDev);
            findings.iter().filter(|finding| finding.failure.is_some()).count()
        };
        assert_eq!(failing(&bundle), 0);
        let mut without = bundle.clone();
        without.job.fault = None;
        assert_eq!(failing(&without), 1, "a price is not forfeited without a reason");
        assert_eq!(client.fault(&evidence).unwrap_err().problem(), Some("not-found"));
        let refused = client.cancel(&buyer, request.order.job()).unwrap_err();
        assert_eq!(refused.problem(), Some("over"), "{refused}");
    }
    let account = client.account(node.identity.address()).unwrap();
    let play_money = u128::from(PLAY_MONEY);
    assert_eq!(
        (account.balance, account.bond),
        (Decimal(play_money - 200 + 3 * PRICE), Decimal(200))
    );
    let balance = client.account(buyer.address()).unwrap().balance;
    assert_eq!(balance, Decimal(play_money - 3 * PRICE));
    // The node is still trusted, and serves honest orders.
    let order = HIDDEN.order(&buyer, chain_id, 9, &honest);
    let request = seal(&[&node.identity], order, &buyer, &honest);
    client.submit(&request, Wait::None).unwrap();
    assert_eq!(end_of(&client, request.order.job()).state, "settled");
    node.stop();
}

#[test]
fn a_node_cannot_have_an_honest_price_forfeited() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&HIDDEN.config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let (buyer, node) = (identity(1), identity(9));
    client.post_bond(&node, 100).unwrap();
    let capabilities = HIDDEN.capabilities(&node);
    let stated = zkinfer_node::Capabilities { key: Some(Hex([7; 32])), ..capabilities.clone() };
    let refused = client.hello(&node, stated).unwrap_err();
    assert!(refused.to_string().contains("capabilities.key"), "{refused}");
    client.hello(&node, capabilities).unwrap();
    let input = HIDDEN.unsealed();
    let request = seal(&[&node], HIDDEN.order(&buyer, chain_id, 1, &input), &buyer, &input);
    let job = request.order.job();
    client.submit(&request, Wait::None).unwrap();
    let offer = client.poll(&node).unwrap().unwrap();
    let own = offer.sealed.as_ref().unwrap()[0].clone();
    let evidence = own.evidence(&node, job).unwrap();
    let refused = client.fault(&evidence).unwrap_err();
    assert_eq!(refused.problem(), Some("fault"));
    assert!(refused.to_string().contains("the box holds what its order says"), "{refused}");
    let mut forged = evidence;
    forged.shared = own.point;
    let refused = client.fault(&forged).unwrap_err();
    assert!(refused.to_string().contains("challenge, response"), "{refused}");
    assert_eq!(client.job(job, Wait::None).unwrap().state, "staked");
}

#[test]
fn a_sealed_order_that_is_none_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&HIDDEN.config(folder.path()));
    let (client, chain_id) = coordinator.client();
    let (buyer, input) = (identity(1), HIDDEN.unsealed());
    let order = HIDDEN.order(&buyer, chain_id, 1, &input);
    let one = |byte: u8| SealedInput::new(identity(byte).public_key(), &order, &input).unwrap();
    let of = |boxes: Vec<SealedInput>| order.clone().sealed_request(&buyer, boxes);
    let edited = |edit: &dyn Fn(&mut JobRequest)| {
        let mut request = of(vec![one(2)]);
        edit(&mut request);
        request
    };
    let mut short = one(2);
    short.content.0.pop();
    let odd = SealedInput { point: Hex([0xff; 32]), ..one(2) };
    let cases = [
        (of(Vec::new()), "sealed: 0 boxes"),
        (of((2..19).map(one).collect()), "sealed: 17 boxes"),
        (of(vec![one(2), one(2)]), "sealed: two boxes are for the node"),
        (of(vec![short]), "sealed: content: "),
        (of(vec![SealedInput { content: HexBytes(Vec::new()), ..one(2) }]), "sealed: content: 0"),
        (of(vec![odd]), "sealed.point"),
        (edited(&|request| request.sealed = Some(vec![one(3)])), "the digest of the boxes"),
        (edited(&|request| request.sealed = None), "the request has another"),
        (edited(&|request| request.input = HIDDEN.input.clone()), "is given openly"),
        (edited(&|request| request.signature.0[0] ^= 1), "signature"),
        (order.clone().request(&buyer, HIDDEN.input.clone()), "takes only sealed inputs"),
    ];
    for (request, named) in cases {
        let refused = client.submit(&request, Wait::None).unwrap_err();
        assert_eq!(refused.problem(), Some("order"), "{refused}");
        assert!(refused.to_string().contains(named), "{refused}");
    }
    // A job that no node of the boxes takes is its buyer's to take back.
    let request = of(vec![one(2)]);
    client.submit(&request, Wait::None).unwrap();
    let job = JobId(request.order.job().0);
    assert_eq!(request.order.sealed, Some(digest_of(request.sealed.as_ref().unwrap())));
    assert_eq!(client.cancel(&buyer, job).unwrap().state, "cancelled");
}
