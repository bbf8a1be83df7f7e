//! Circuits that the key format does not cover are refused by name.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use halo2_proofs::{
    circuit::{Layouter, SimpleFloorPlanner},
    halo2curves::bn256::{Fr, G1Affine},
    plonk::{self, Circuit, ConstraintSystem, Error, Expression, keygen_vk_custom},
    poly::Rotation,
};
use zkinfer_prover::{ExportError, KeyMetadata, Srs, export_key, export_srs};
use zkinfer_verifier::{
    Digest, INSECURE_DEV, InstanceLayout, KeyError, SrsPolicy, SrsTrust, TensorLayout, Visibility,
};

#[derive(Clone, Copy, Default)]
enum Kind {
    #[default]
    Plain,
    Lookup,
    TwoInstanceColumns,
    Degree(usize),
}

/// Nothing but columns and a gate.
struct Empty(Kind);

impl Circuit<Fr> for Empty {
    type Config = ();
    type FloorPlanner = SimpleFloorPlanner;
    type Params = Kind;

    fn params(&self) -> Kind {
        self.0
    }

    fn without_witnesses(&self) -> Self {
        Self(self.0)
    }

    fn configure(_: &mut ConstraintSystem<Fr>) {
        unreachable!("halo2 calls configure_with_params")
    }

    fn configure_with_params(meta: &mut ConstraintSystem<Fr>, kind: Kind) {
        let advice = meta.advice_column();
        let instance = meta.instance_column();
        meta.enable_equality(instance);
        meta.create_gate("power", |meta| {
            let cell = meta.query_advice(advice, Rotation::cur());
            let degree = if let Kind::Degree(degree) = kind { degree } else { 2 };
            [(1..degree).fold(cell.clone(), |power, _| power * cell.clone())]
        });
        match kind {
            Kind::Plain | Kind::Degree(_) => {}
            Kind::Lookup => {
                let table = meta.lookup_table_column();
                meta.lookup("table", |meta| {
                    let cell: Expression<Fr> = meta.query_advice(advice, Rotation::cur());
                    vec![(cell, table)]
                });
            }
            Kind::TwoInstanceColumns => drop(meta.instance_column()),
        }
    }

    fn synthesize(&self, (): (), _: impl Layouter<Fr>) -> Result<(), Error> {
        Ok(())
    }
}

fn halo2_key(srs: &Srs, kind: Kind) -> plonk::VerifyingKey<G1Affine> {
    keygen_vk_custom(srs.params(), &Empty(kind), false).unwrap()
}

fn metadata(srs: &Srs, len: u32) -> KeyMetadata {
    let (name, shape, scales) = ("t".into(), vec![len], vec![1.0]);
    let tensor = TensorLayout { name, shape, scales, lo: 0, hi: 1, classes: None };
    KeyMetadata {
        srs: export_srs(srs.params(), INSECURE_DEV).unwrap(),
        layout: InstanceLayout::new(
            vec![tensor.clone()],
            vec![tensor],
            Visibility::Public,
            Visibility::Public,
        ),
        boundaries: Vec::new(),
        semantics: 1,
        model_name: None,
        model_digest: Digest([0; 32]),
        graph_digest: Digest::ZERO,
        accuracy_digest: Digest::ZERO,
    }
}

#[test]
fn uncovered_circuits_are_refused_by_name() {
    let srs = Srs::insecure_dev(5).unwrap();
    let export = |kind| export_key(&halo2_key(&srs, kind), metadata(&srs, 1)).map(|_| ());
    assert_eq!(export(Kind::Plain), Ok(()));
    assert_eq!(export(Kind::Lookup), Err(ExportError::Lookups { count: 1 }));
    assert_eq!(
        export(Kind::TwoInstanceColumns),
        Err(ExportError::InstanceColumns { expected: 1, got: 2 })
    );
    assert_eq!(export(Kind::Degree(5)), Ok(()));
    // halo2 silently makes a key of degree 5, under which nothing could be proven.
    assert_eq!(export(Kind::Degree(6)), Err(ExportError::Degree { required: 6, got: 5 }));
}

/// halo2 does not look at the length of the instance; the key must.
#[test]
fn an_instance_that_reaches_the_blinding_rows_is_refused() {
    let srs = Srs::insecure_dev(5).unwrap();
    let key = halo2_key(&srs, Kind::Plain);
    // 32 rows, 5 of them blinding, one the last usable; two values for the binding.
    assert!(export_key(&key, metadata(&srs, 12)).is_ok());
    let wrong = KeyError::Rows { k: 5, required: 34 };
    assert_eq!(export_key(&key, metadata(&srs, 13)), Err(ExportError::Key(wrong)));
}

#[test]
fn the_identity_of_a_setup_does_not_depend_on_its_size() {
    let [small, large] = [4, 6].map(|k| {
        let srs = Srs::insecure_dev(k).unwrap();
        export_srs(srs.params(), INSECURE_DEV).unwrap()
    });
    assert_eq!(small, large);
    assert_eq!(SrsPolicy::AllowInsecureDev.accepts(&small), Some(SrsTrust::InsecureDev));
}

/// What a message escapes is what a key refuses, so that no name which is shown as it is can be
/// refused later, or the other way round.
#[test]
fn names_are_hidden_from_messages_and_keys_alike() {
    for character in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        let text = character.to_string();
        let escaped = zkinfer_models::Shown(&text).to_string() != text;
        assert_eq!(escaped, zkinfer_verifier::is_hidden(character), "{character:?}");
    }
}
