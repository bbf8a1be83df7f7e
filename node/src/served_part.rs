//! Parts of models that a node runs and proves.

use std::{path::Path, sync::Arc};

use zkinfer::{
    Device, Model, Part, PartFiles, PartRun,
    prover::PartBlinding,
    verifier::{KeyDigest, VerifyingKey},
};

use crate::{
    account::Identity,
    answer::SignedAnswer,
    division::Division,
    encoding::Hex,
    error::OfferError,
    execution::Trace,
    offer::Offer,
    order::{OrderError, digest},
    part::{PartOffer, Span, read_blinding},
};

/// A part of a model with its keys.
#[derive(Debug)]
pub struct ServedPart {
    division: Arc<Division>,
    index: usize,
    part: Part,
    /// Seconds that a proof takes here, by the plan of its circuit.
    pub quoted_seconds: f64,
}

impl ServedPart {
    /// The parts of a manifest, with the keys beside it, of the model in an ONNX file; only those that are
    /// named, where some are. `srs` is a ceremony's file; the development setup where none is given.
    ///
    /// # Errors
    /// A model, manifest or keys that are none, or of something else.
    pub fn load(
        manifest: &Path,
        model: &Path,
        only: &[usize],
        srs: Option<&Path>,
    ) -> Result<Vec<Self>, zkinfer::Error> {
        let (files, model) = (PartFiles { manifest: manifest.to_owned() }, Model::open(model)?);
        let manifest = files.read_manifest()?;
        let keys = files.read_keys(&manifest)?;
        let division = Arc::new(Division::of_keys(manifest, &keys));
        let all: Vec<usize> = (0..division.count()).collect();
        let wanted = if only.is_empty() { &all } else { only };
        let open = |&index: &usize| {
            let part = Part::open(&model, &files, index, srs, &Device::default(), &|_| ())?;
            let quoted_seconds = part.keys().setup().plan().cost().prove_seconds;
            Ok(Self { division: division.clone(), index, part, quoted_seconds })
        };
        wanted.iter().map(open).collect()
    }

    /// The root of the manifest, and which part it is: offers name it so.
    #[must_use]
    pub fn name(&self) -> (Hex<32>, usize) {
        (Hex(self.division.manifest().root().0), self.index)
    }

    /// The digest of the part's key.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        self.key().digest()
    }

    fn key(&self) -> &VerifyingKey {
        self.part.keys().verifying_key()
    }

    /// Whether an offer is worth a node's while: of its buyer, for this part, and blinded as its
    /// neighbours need it.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self, chain_id: u64, offer: &Offer) -> Result<(), OfferError> {
        let Offer { order, signature, part, input, .. } = offer;
        let Some(PartOffer { index, taken_blinding, given_blinding }) = part else {
            return Err(OfferError::Name);
        };
        if order.chain_id.0 != chain_id {
            let (expected, got) = (chain_id, order.chain_id.0);
            return Err(OrderError::Chain { expected, got }.into());
        }
        let (root, own) = self.name();
        let name = self.division.manifest().part_job(self.index, &order.job().0);
        if order.model != root || usize::try_from(*index) != Ok(own) || offer.job.0 != name {
            return Err(OfferError::Name);
        }
        if !order.is_signed(signature) {
            return Err(OrderError::Signature.into());
        }
        let got = digest(input);
        if own == 0 && got != order.input() {
            return Err(OrderError::Input { expected: order.input(), got }.into());
        }
        let columns = self.part.keys().setup().boundary_columns();
        for (expected, blinding) in columns.into_iter().zip([taken_blinding, given_blinding]) {
            let got = blinding.as_ref().map_or(0, Vec::len);
            let sound = blinding.as_ref().is_none_or(|blinding| read_blinding(blinding).is_some());
            if expected != got || !sound {
                return Err(OfferError::Blinding { expected, got });
            }
        }
        let whole = order.prices();
        let prices = self.division.prices(&whole, self.index);
        let (got, parts) = (whole.most, self.division.count());
        let none = OrderError::PartsPrice { field: "order.price", got, parts };
        offer.check_terms(&prices.ok_or(none)?)
    }

    /// Runs the part on what an offer says that it takes.
    ///
    /// # Errors
    /// If the part cannot take that.
    pub fn run(&self, offer: &Offer) -> Result<PartRun, zkinfer::Error> {
        self.part.run(&offer.input)
    }

    /// The node's answer: what the part gives.
    #[must_use]
    pub fn answer(&self, node: &Identity, offer: &Offer, run: &PartRun) -> SignedAnswer {
        let trace = Trace::of(self.part.graph(), &run.execution.values);
        let about = (Hex(self.digest().0.0), Hex(digest(&offer.input).0.0));
        let answer = SignedAnswer::of_model(node, offer, about, run.given.clone(), &trace);
        let is_last = self.index + 1 == self.division.count();
        let spans = (!is_last).then(|| self.part.given().iter().map(Span::of).collect());
        SignedAnswer { spans, ..answer }
    }

    /// Proves what was answered, as a `.zkproof`, under the blindings of the offer.
    ///
    /// # Errors
    /// If the proof fails.
    pub fn prove(
        &self,
        node: &Identity,
        offer: &Offer,
        run: &PartRun,
    ) -> Result<Vec<u8>, zkinfer::Error> {
        let part = offer.part.as_ref();
        let [taken, given] = [
            part.and_then(|part| part.taken_blinding.as_ref()),
            part.and_then(|part| part.given_blinding.as_ref()),
        ]
        .map(|blinding| blinding.and_then(read_blinding));
        let job = offer.order.binding(node.address());
        let blinding = PartBlinding { taken, given };
        let proven = self.part.prove_run(run, blinding, &job, &|_| ())?;
        Ok(proven.file.encode().into_bytes())
    }
}
