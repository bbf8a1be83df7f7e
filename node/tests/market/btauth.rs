//! Requests that are signed as Bittensor's are: those that its own SDK has signed, and new ones.

use serde_json::Value;
use sha2::{Digest, Sha256};
use zkinfer_node::{
    BittensorSignature, Client, Decimal, Guard, Hex, PublicKey, SignatureRefusal, Wait, ss58,
};

use crate::common::{Coordinator, DAY, PLAY_MONEY, config, identity, now, request};

/// A request that bittensor 11.3.0 has signed.
struct Signed {
    key: PublicKey,
    request: (String, String),
    body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Signed {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    fn read(&self) -> Result<BittensorSignature, SignatureRefusal> {
        BittensorSignature::read(|name| self.header(name))
    }

    fn set(&mut self, name: &str, value: Option<&str>) {
        self.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
        self.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }
}

/// The coordinator that they are for, and the requests.
fn vectors() -> (PublicKey, Vec<Signed>) {
    let read: Value = serde_json::from_str(include_str!("../vectors/btauth.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let receiver: PublicKey = text(&read["receiver"]).parse().unwrap();
    assert_eq!(ss58(&receiver), text(&read["receiver_ss58"]));
    let case = |one: &Value| Signed {
        key: text(&one["key"]).parse().unwrap(),
        request: (text(&one["method"]), text(&one["path"])),
        body: text(&one["body"]).into_bytes(),
        headers: one["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
    };
    (receiver, read["cases"].as_array().unwrap().iter().map(case).collect())
}

#[test]
fn requests_of_bittensors_own_sdk_are_taken_once_and_for_what_they_were_signed() {
    let (receiver, cases) = vectors();
    for mut signed in cases {
        let read = signed.read().unwrap();
        assert_eq!(read.key, signed.key);
        let at = read.nonce / 1_000_000;
        let (method, target) = (signed.request.0.clone(), signed.request.1.clone());
        let request = (method.as_str(), target.as_str());
        let mut guard = Guard::new(7, 60, 0);
        let body = signed.body.clone();
        let mut admit = |signed: &BittensorSignature, receiver, request, body: &[u8], now| {
            guard.admit_bittensor(signed, receiver, request, body, now)
        };
        let refused = Err(SignatureRefusal::Signature);
        assert_eq!(admit(&read, &receiver, ("PUT", request.1), &body, at), refused);
        assert_eq!(admit(&read, &receiver, (request.0, "/v1/nodes"), &body, at), refused);
        assert_eq!(admit(&read, &receiver, request, b"other", at), refused);
        let other = identity(9).public_key();
        let elsewhere = Err(SignatureRefusal::Receiver);
        assert_eq!(admit(&read, &other, request, &body, at), elsewhere);
        let late = admit(&read, &receiver, request, &body, at + 61_000);
        assert!(matches!(late, Err(SignatureRefusal::Time { .. })), "{late:?}");
        assert_eq!(admit(&read, &receiver, request, &body, at), Ok(signed.key));
        assert_eq!(admit(&read, &receiver, request, &body, at), Err(SignatureRefusal::Replay));
        // Under the other scheme, it is nobody's.
        let other =
            if signed.header("x-bittensor-crypto").is_some() { None } else { Some("ed25519") };
        signed.set("X-Bittensor-Crypto", other);
        let otherwise = signed.read().unwrap();
        assert_eq!(admit(&otherwise, &receiver, request, &body, at), refused);
    }
}

#[test]
fn headers_that_are_none_are_named() {
    let (_, cases) = vectors();
    let lies = [
        ("x-bittensor-version", Some("2")),
        ("x-bittensor-version", None),
        ("x-bittensor-hotkey", Some("5GrwvaEF")),
        ("x-bittensor-hotkey", None),
        ("x-bittensor-receiver", None),
        ("x-bittensor-nonce", Some("-1")),
        ("x-bittensor-nonce", Some("01")),
        ("x-bittensor-nonce", None),
        ("x-bittensor-crypto", Some("ecdsa")),
        ("x-bittensor-signature", Some("0x12")),
        ("x-bittensor-signature", None),
    ];
    for (header, value) in lies {
        let (_, mut cases) = vectors();
        cases[0].set(header, value);
        assert_eq!(cases[0].read(), Err(SignatureRefusal::Header { header }), "{value:?}");
    }
    assert!(cases[0].read().is_ok());
}

/// The hotkey of a seed, which signs as the SDK does.
struct Hotkey(schnorrkel::Keypair);

impl Hotkey {
    fn new(byte: u8) -> Self {
        let seed = schnorrkel::MiniSecretKey::from_bytes(&[byte; 32]).unwrap();
        Self(seed.expand_to_keypair(schnorrkel::ExpansionMode::Ed25519))
    }

    fn key(&self) -> PublicKey {
        Hex(self.0.public.to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Hex<64> {
        Hex(self.0.sign_simple(b"substrate", message).to_bytes())
    }

    fn post(&self, url: &str, path: &str, receiver: &str, nonce: u64, body: &str) -> (u16, String) {
        let hash = Hex::<32>(Sha256::digest(body).into()).to_string();
        let (sender, number) = (ss58(&self.key()), nonce.to_string());
        let lines = ["btauth/1", "sr25519", "POST", path, &hash, &number, &sender, receiver];
        let signature = format!("0x{}", self.sign(lines.join("\n").as_bytes()));
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        let request = ureq::Agent::new_with_config(config).post(format!("{url}{path}"));
        let request = request.header("X-Bittensor-Version", "1");
        let request = request.header("X-Bittensor-Hotkey", &sender);
        let request = request.header("X-Bittensor-Receiver", receiver);
        let request = request.header("X-Bittensor-Nonce", &number);
        let request = request.header("X-Bittensor-Signature", &signature);
        let mut response = request.send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}

#[test]
fn a_hotkey_signs_as_the_sdk_does() {
    let (_, cases) = vectors();
    for (number, case) in (1..).zip(&cases).take(3) {
        assert_eq!(Hotkey::new(number).key(), case.key);
    }
    let hotkey = Hotkey::new(1);
    let signature = hotkey.sign(b"message");
    assert!(hotkey.key().has_signed(b"message", &signature));
    assert!(!hotkey.key().has_signed(b"massage", &signature));
    assert!(!Hotkey::new(2).key().has_signed(b"message", &signature));
    let mut unmarked = signature;
    unmarked.0[63] &= 0x7f;
    assert!(!hotkey.key().has_signed(b"message", &unmarked), "it is no Ed25519 signature");
    // The same seed is another key for Ed25519, whose signatures it does not make.
    let other = identity(1);
    assert_ne!(other.public_key(), hotkey.key());
    assert!(!hotkey.key().has_signed(b"message", &other.sign(b"message")));
}

#[test]
fn a_hotkey_has_an_account_moves_its_money_and_orders() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(folder.path()));
    let (client, view) = Client::connect(&coordinator.url).unwrap();
    let (hotkey, receiver) = (Hotkey::new(4), view.coordinator_ss58.as_deref().unwrap());
    assert_eq!(receiver, ss58(&view.coordinator));
    let nonce = (now() + 1) * 1_000_000_000;
    let body = "{\"amount\":\"30\"}";
    let post =
        |receiver: &str, nonce, path| hotkey.post(&coordinator.url, path, receiver, nonce, body);
    let (status, text) = post(receiver, nonce, "/v1/bond");
    assert_eq!(status, 200, "{text}");
    let account = client.account(hotkey.key().address()).unwrap();
    assert_eq!(account.bond, Decimal(30));
    assert_eq!(account.balance, Decimal(u128::from(PLAY_MONEY) - 30));
    let cases = [
        (post(receiver, nonce, "/v1/bond"), "came before"),
        (post(&ss58(&Hex([7; 32])), nonce + 1, "/v1/bond"), "x-bittensor-receiver"),
        (post(receiver, 1_000_000_000, "/v1/bond"), "seconds are allowed"),
    ];
    for ((status, text), named) in cases {
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, problem["type"].as_str()), (401, Some("signature")));
        assert!(text.contains(named), "{text}");
    }
    assert_eq!(post(receiver, nonce + 2, "/v1/bond/withdrawal").0, 200);
    // An order that the hotkey has signed is its own.
    let mut ordered = request(&identity(1), view.chain_id.0, 1, DAY);
    ordered.order.buyer = hotkey.key();
    let refused = client.submit(&ordered, Wait::None).unwrap_err();
    assert!(refused.to_string().contains("signature"), "{refused}");
    ordered.signature = hotkey.sign(&ordered.order.encode());
    assert_eq!(client.submit(&ordered, Wait::None).unwrap().state, "open");
    let (_, text) = hotkey.post(&coordinator.url, "/v1/nodes/poll", receiver, nonce + 3, "");
    assert!(text.contains("unknown-node"), "{text}");
}
