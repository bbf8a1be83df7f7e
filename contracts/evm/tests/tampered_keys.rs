//! Every field of a key, each with a lie: the contract refuses what the library refuses, by the same
//! check.

#[path = "../../../verifier/tests/formats/key_edits.rs"]
mod key_edits;
mod known;

use revm::primitives::Address;
use zkinfer_contracts::{Call, ContractError, KeyData};
use zkinfer_contracts_evm::{Chain, Fork, account};
use zkinfer_verifier::{InferenceClaim, SrsPolicy, VerifyError, VerifyingKey, verify};

use key_edits::{Edit, of_key, of_layout, of_system};
use known::{Known, chain, known};

/// The contract's name for the check that refuses. Values that a key hides are a commitment to the
/// contract, and commitments have one length.
fn name_of(error: &VerifyError) -> &'static str {
    match error {
        VerifyError::InputLength { .. } | VerifyError::InputVisibility { .. } => "InputLength",
        VerifyError::OutputLength { .. } | VerifyError::OutputVisibility { .. } => "OutputLength",
        VerifyError::InputRange { .. } => "InputRange",
        VerifyError::OutputRange { .. } => "OutputRange",
        VerifyError::ProofLength { .. } => "ProofLength",
        VerifyError::Point { .. } => "Point",
        VerifyError::Scalar { .. } => "Scalar",
        VerifyError::Pairing => "Pairing",
        other => panic!("no key of this test gives {other:?}"),
    }
}

/// What became of a lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noticed {
    /// There is no such key.
    NoKey,
    /// The key has no form on chain.
    NoData,
    /// The contract does not take the key.
    NotRegistered,
    /// The proof is refused under the other key.
    NotProven,
}

/// The other key is refused, or refuses the honest proof as the library does.
fn notice(chain: &mut Chain, at: Address, honest: &Known, (field, edit): &(&str, Edit)) -> Noticed {
    let mut parts = honest.key.parts().clone();
    edit(&mut parts);
    assert!(&parts != honest.key.parts(), "{field}: the edit changes nothing");
    let Ok(key) = VerifyingKey::new(parts) else { return Noticed::NoKey };
    let data = match KeyData::new(&key) {
        Ok(data) => data,
        Err(error) => {
            assert_eq!(error, ContractError::Statement, "{field}");
            return Noticed::NoData;
        }
    };
    assert_ne!(data.id(), honest.data.id(), "{field}");
    if let Err(reverted) = chain.send(account(1), at, 0, data.register_calldata()) {
        assert_eq!(reverted.name(), "UntrustedSrs", "{field}");
        return Noticed::NotRegistered;
    }
    let file = &honest.files[0];
    let claim = InferenceClaim { model: key.digest(), ..file.claim.clone() };
    let policy = SrsPolicy::AllowSrs(key.srs_digest());
    let error = verify(&key, &claim, &file.proof, policy).unwrap_err();
    // Where the claim has no form under the other key, its bytes are those of the honest one.
    let same = Call::new(&honest.key, &honest.data, &file.claim, &file.proof).unwrap();
    let call = Call::new(&key, &data, &claim, &file.proof);
    let call = call.unwrap_or(Call { key: data.id(), ..same });
    let reverted = chain.call(at, call.verify_calldata()).unwrap_err();
    assert_eq!(reverted.name(), name_of(&error), "{field}: {error:?}");
    Noticed::NotProven
}

#[test]
fn a_lie_about_a_key_is_noticed_on_chain_as_by_the_library() {
    let known: Vec<Known> = known().into_iter().filter(|known| known.name == "toy").collect();
    let [toy] = &known[..] else { panic!("one toy") };
    assert!(toy.key.parts().layout.inputs.len() > 1);
    let (mut chain, verifier) = chain(Fork::Osaka, &known);
    let edits = of_key().into_iter().chain(of_system()).chain(of_layout());
    let noticed: Vec<Noticed> =
        edits.map(|edit| notice(&mut chain, verifier, toy, &edit)).collect();
    let count = |wanted| noticed.iter().filter(|&&noticed| noticed == wanted).count();
    assert!(count(Noticed::NotProven) >= 15, "{noticed:?}");
    assert!(count(Noticed::NoData) >= 1, "{noticed:?}");
    assert!(count(Noticed::NotRegistered) >= 2, "{noticed:?}");
}
