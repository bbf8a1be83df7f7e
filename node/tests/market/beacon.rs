//! Lots that rounds of drand draw: in virtual time with a round that was published, and over HTTP.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
};

use zkinfer_node::{
    ALWAYS, BeaconError, Hex, JobRequest, Lot, MarketError, NETWORK, Offer, Order, Outcome,
    REVEAL_ROUNDS, RelayError, Remains, RevealError, Sampling, SignedAnswer, relayed, round_of,
    time_of,
};
use zkinfer_settlement::JobId;

use crate::{
    common::{Coordinator, DAY, Node, answered, config, identity, request},
    small::{RIGHT, Small},
};

pub(crate) const ROUND: u64 = 657_413;
pub(crate) const SIGNATURE: &str = "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b";

fn lot(number: u64) -> Lot {
    Lot::Round { number, signature: SIGNATURE.parse().unwrap() }
}

/// A market just before the round, so that it draws the lot of an answer that is given now.
fn before_the_round() -> Small {
    let mut small = Small::new(1);
    // The time for the answer, and for the round to come and be handed in.
    let ahead = 2 + (REVEAL_ROUNDS + 2) * 3;
    small.now = (time_of(ROUND + REVEAL_ROUNDS) - ahead) * 1_000;
    small.hello();
    small
}

fn by_beacon(small: &mut Small, rate: u32) -> Offer {
    let JobRequest { order, input, .. } = small.request(ALWAYS);
    let order = Order { sampling: Some(Sampling::by_beacon(rate)), ..order };
    let request = order.request(&small.buyer, input);
    small.market.open(request, small.now).unwrap();
    small.offered()
}

fn refused(small: &mut Small, offer: &Offer, lot: Lot) -> RevealError {
    match small.market.reveal(JobId(offer.job.0), lot, small.now).unwrap_err() {
        MarketError::Reveal(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn the_round_of_an_answer_draws_its_lot_and_no_other() {
    for (rate, state) in [(1, "accepted"), (ALWAYS - 1, "staked")] {
        let mut small = before_the_round();
        let offer = by_beacon(&mut small, rate);
        assert_eq!(refused(&mut small, &offer, lot(ROUND)), RevealError::NoAnswer);
        let answer = small.answer(&offer, RIGHT);
        assert_eq!(round_of(&answer), ROUND);
        assert!(time_of(ROUND) > offer.answer_by, "it comes after the answer");
        let other = RevealError::Round { expected: ROUND, got: ROUND + 1 };
        assert_eq!(refused(&mut small, &offer, lot(ROUND + 1)), other);
        let secret = Lot::Secret(Hex([1; 32]));
        assert_eq!(refused(&mut small, &offer, secret), RevealError::Commitment);
        small.mail.borrow_mut().clear();
        small.wait();
        small.market.reveal(JobId(offer.job.0), lot(ROUND), small.now).unwrap();
        assert_eq!(small.state(&offer), state);
        if state == "staked" {
            assert!(small.mail.borrow().iter().any(|told| told.answered && told.job == offer.job));
            assert_eq!(small.prove(JobId(offer.job.0)).unwrap(), Outcome::Paid);
        }
    }
}

/// A coordinator that is started anew draws the same lot from what is on disk.
#[test]
fn a_round_that_reached_the_disk_draws_the_lot_again() {
    let mut small = before_the_round();
    let offer = by_beacon(&mut small, ALWAYS - 1);
    let answer = small.answer(&offer, RIGHT);
    let (signature, output, trace) = (Hex([0; 64]), Vec::new(), Vec::new());
    let signed = SignedAnswer { answer, signature, output, trace, spans: None };
    let (order, signature) = (offer.order.clone(), offer.signature);
    let request = JobRequest { order, signature, input: Vec::new(), sealed: None };
    let kept = lot(ROUND).to_bytes();
    small.restart(|_| {
        let (request, answer) = (request.clone(), Some(signed.clone()));
        Some(Remains { request, answer, lot: Lot::from_bytes(&kept, ROUND), part: None })
    });
    let held = small.hello();
    assert_eq!((held.len(), held[0].answered), (1, true));
    assert_eq!(small.prove(JobId(offer.job.0)).unwrap(), Outcome::Paid);
}

#[test]
fn an_answer_whose_round_nobody_hands_in_must_be_proven() {
    let mut small = before_the_round();
    let offer = by_beacon(&mut small, 1);
    small.answer(&offer, RIGHT);
    small.mail.borrow_mut().clear();
    small.wait();
    small.now = (offer.reveal_by + 1) * 1_000;
    let late = RevealError::Late { reveal_by: offer.reveal_by, now: offer.reveal_by + 1 };
    assert_eq!(refused(&mut small, &offer, lot(ROUND)), late);
    small.market.tick(small.now).unwrap();
    assert_eq!(small.state(&offer), "staked");
    let told = small.mail.borrow().iter().any(|told| told.answered && told.job == offer.job);
    assert!(told, "the node is told to prove it");
    assert_eq!(small.prove(JobId(offer.job.0)).unwrap(), Outcome::Paid);
}

#[test]
fn a_round_that_is_not_the_networks_is_refused_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(&folder.path().join("market")));
    let node = Node::start(&coordinator.url, folder.path());
    let (client, chain_id) = coordinator.client();
    let buyer = identity(1);
    let plain = request(&buyer, chain_id, 1, DAY);
    let order = Order { sampling: Some(Sampling::by_beacon(1)), ..plain.order };
    let ordered = order.request(&buyer, plain.input);
    let job = ordered.order.job();
    let slow = answered(&client, &ordered);
    if slow.at.is_none() {
        let refused = client.draw(job, SIGNATURE.parse().unwrap()).unwrap_err();
        let word = refused.problem().unwrap();
        assert!(["reveal", "not-found"].contains(&word), "{refused}");
    }
    for body in ["{}", "{\"secret\": null, \"round\": null}"] {
        let url = format!("{}/v1/jobs/{job}/reveal", coordinator.url);
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let response = ureq::Agent::new_with_config(config).post(&url).send(body).unwrap();
        let text = response.into_body().read_to_string().unwrap();
        assert!(text.contains("secret, round: give one of them"), "{text}");
    }
    node.stop();
}

/// A relay that answers once, with this body; where it is.
fn relay(body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let found = line.contains(NETWORK);
        let status = if found { "200 OK" } else { "404 Not Found" };
        let length = body.len();
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    });
    url
}

#[test]
fn a_relay_is_not_believed() {
    let published = format!("{{\"round\": {ROUND}, \"signature\": \"{SIGNATURE}\"}}");
    let signature = relayed(&relay(published.clone()), ROUND).unwrap();
    assert_eq!(signature.to_string(), SIGNATURE);
    let refused = relayed(&relay(published), ROUND + 1).unwrap_err();
    let other = BeaconError::Signature { round: ROUND + 1 };
    assert!(matches!(refused, RelayError::Beacon(error) if error == other), "{refused}");
    let refused = relayed(&relay("{}".to_owned()), ROUND).unwrap_err();
    assert!(matches!(refused, RelayError::Answer { .. }), "{refused}");
    let refused = relayed("http://127.0.0.1:1", ROUND).unwrap_err();
    assert!(matches!(refused, RelayError::Network { .. }), "{refused}");
}
