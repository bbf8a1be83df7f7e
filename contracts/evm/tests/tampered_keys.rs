//! Every field of a key, each with a lie: the contract refuses what the library refuses, by the same
//! check. A field without a lie does not compile.

mod known;

use revm::primitives::Address;
use zkinfer_contracts::{Call, ContractError, KeyData};
use zkinfer_contracts_evm::{Chain, Fork, account};
use zkinfer_verifier::{
    Block, Boundary, Column, ConstraintSystem, Digest, Fr, InferenceClaim, InstanceLayout,
    KeyFormat, KeyParts, Query, Side, SrsId, SrsPolicy, TensorLayout, VerifyError, VerifyingKey,
    Visibility, verify,
};

use known::{Known, chain, known};

/// A list of `(field, edit)`; the pattern makes it exhaustive.
macro_rules! manifest {
    ($type:ident of $part:expr => { $($field:ident => $edit:expr),* $(,)? }) => {{
        let _exhaustive = |$type { $($field: _),* }: &$type| {};
        let part: fn(&mut KeyParts) -> &mut $type = $part;
        let edits: Vec<(&'static str, fn(&mut $type))> = vec![$((stringify!($field), $edit)),*];
        let edits = edits.into_iter().map(|(field, edit)| -> (&'static str, Edit) {
            (field, Box::new(move |key: &mut KeyParts| edit(part(key))))
        });
        edits.collect::<Vec<_>>()
    }};
}

type Edit = Box<dyn Fn(&mut KeyParts)>;

fn of_key() -> Vec<(&'static str, Edit)> {
    manifest!(KeyParts of |key| key => {
        format => |key| {
            key.format = KeyFormat::V3;
            key.graph_digest = Digest::ZERO;
        },
        semantics => |key| key.semantics += 1,
        k => |key| key.k += 1,
        constraint_system => |key| key.constraint_system.degree += 1,
        fixed_commitments => |key| key.fixed_commitments.swap(0, 1),
        sigma_commitments => |key| key.sigma_commitments.swap(0, 1),
        transcript_repr => |key| key.transcript_repr += Fr::from(1),
        srs => |key| key.srs.g2_tau = -key.srs.g2_tau,
        layout => |key| key.layout.inputs.reverse(),
        boundaries => |key| {
            let (side, columns) = (Side::Output, vec![0]);
            key.boundaries.push(Boundary { side, columns, layout: Digest::ZERO });
        },
        model_name => |key| key.model_name = Some("another".into()),
        model_digest => |key| key.model_digest.0[31] ^= 1,
        graph_digest => |key| key.graph_digest.0[31] ^= 1,
        accuracy_digest => |key| key.accuracy_digest.0[31] ^= 1,
    })
}

fn of_system() -> Vec<(&'static str, Edit)> {
    let mut edits = manifest!(ConstraintSystem of |key| &mut key.constraint_system => {
        advice_phases => |system| system.advice_phases.swap(0, 5),
        challenge_phases => |system| system.challenge_phases[0] = 1,
        advice_queries => |system| system.advice_queries.swap(0, 1),
        fixed_queries => |system| system.fixed_queries.swap(0, 1),
        instance_queries => |system| system.instance_queries.swap(0, 1),
        gates => |system| system.gates.swap(0, 1),
        permutation => |system| system.permutation.swap(0, 1),
        degree => |system| system.degree += 1,
    });
    edits.extend(manifest!(Query of |key| &mut key.constraint_system.advice_queries[0] => {
        column => |query| query.column ^= 1,
        rotation => |query| query.rotation += 3,
    }));
    edits.extend(manifest!(Query of |key| &mut key.constraint_system.fixed_queries[0] => {
        column => |query| query.column ^= 1,
        rotation => |query| query.rotation += 3,
    }));
    let no_instance: Edit = Box::new(|key| {
        key.constraint_system.permutation.retain(|column| !matches!(column, Column::Instance(_)));
    });
    edits.push(("permutation column", no_instance));
    edits
}

fn of_layout() -> Vec<(&'static str, Edit)> {
    let mut edits = manifest!(SrsId of |key| &mut key.srs => {
        name => |srs| srs.name = "another".into(),
        g2_tau => |srs| srs.g2_tau = -srs.g2_tau,
    });
    edits.extend(manifest!(InstanceLayout of |key| &mut key.layout => {
        inputs => |layout| layout.inputs.truncate(1),
        outputs => |layout| layout.outputs.extend_from_within(..),
        input_visibility => |layout| layout.input_visibility = Visibility::Committed,
        output_visibility => |layout| layout.output_visibility = Visibility::Committed,
        claims => |layout| layout.claims += 1,
        placement => |layout| layout.placement.0[0].first_row += 1,
    }));
    edits.extend(manifest!(Block of |key| &mut key.layout.placement.0[0] => {
        first_column => |block| block.first_column += 1,
        columns => |block| block.columns += 1,
        first_row => |block| block.first_row += 1,
        values => |block| block.values -= 1,
    }));
    for part in
        [(|key| &mut key.layout.inputs[0]) as fn(&mut KeyParts) -> &mut TensorLayout, |key| {
            &mut key.layout.outputs[0]
        }]
    {
        edits.extend(manifest!(TensorLayout of part => {
            name => |tensor| tensor.name.push('x'),
            shape => |tensor| tensor.shape.push(1),
            scales => |tensor| tensor.scales[0] *= 2.0,
            lo => |tensor| tensor.lo -= 1,
            hi => |tensor| tensor.hi += 1,
        }));
    }
    edits
}

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
