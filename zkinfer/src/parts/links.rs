//! Links: what goes from one part to the next, and what blinds it.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zkinfer_models::{HexDigest, QuantizedGraph};
use zkinfer_prover::{BOUNDARY_BLINDING, BoundaryBlinding, PROOFS_A_SIDE, files};
use zkinfer_verifier::{Digest, Side, VerifyingKey};

use super::runs::tensors_of;
use crate::error::{Error, LinkFault, SplitError};

const FORMAT: u32 = 1;
/// Larger files are refused unread.
const MAX_BYTES: u64 = 1 << 28;

/// The folder of the links of one run. They show what is between the parts: who is to know that gets
/// the one or two of its part, and nobody else any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    folder: PathBuf,
}

/// What one boundary holds, and what blinds it. Secret.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: u32,
    /// The root of the manifest.
    manifest: HexDigest,
    /// The part that gives it.
    part: usize,
    values: Vec<i64>,
    /// The values of each column's last rows: scalars of 32 bytes, little-endian.
    blinding: Vec<Vec<HexDigest>>,
}

/// A link that was read and is of the right parts.
pub(super) struct Link {
    path: PathBuf,
    values: Vec<i64>,
    blinding: BoundaryBlinding,
}

impl Links {
    /// The links in a folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The file of the link that a part gives, counted from 0.
    #[must_use]
    pub fn given_by(&self, part: usize) -> PathBuf {
        self.folder.join(format!("link-{part}.zklink"))
    }

    /// Writes a new link.
    pub(super) fn write(
        &self,
        root: Digest,
        part: usize,
        key: &VerifyingKey,
        values: Vec<i64>,
    ) -> Result<(), Error> {
        let given = key.parts().boundaries.iter().find(|boundary| boundary.side == Side::Output);
        let columns = given.map_or(0, |boundary| boundary.columns.len());
        let [[blinding, ..], _] = BoundaryBlinding::draw(columns);
        let texts = |column: &[[u8; 32]; BOUNDARY_BLINDING]| column.map(HexDigest).to_vec();
        let wire = Wire {
            format: FORMAT,
            manifest: HexDigest(root.0),
            part,
            values,
            blinding: blinding.to_bytes().iter().map(texts).collect(),
        };
        let path = self.given_by(part);
        let written = files::write_new_private(&path, |file| {
            serde_json::to_writer(&mut *file, &wire)?;
            file.write_all(b"\n")
        });
        written.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => {
                SplitError::Link { path, fault: LinkFault::Exists }.into()
            }
            _ => Error::Write { path, source },
        })
    }

    /// Reads the link that a part gives, through so many columns.
    pub(super) fn read(&self, root: Digest, part: usize, columns: usize) -> Result<Link, Error> {
        let path = self.given_by(part);
        let refused = |fault| Error::from(SplitError::Link { path: path.clone(), fault });
        let bytes =
            files::read_bounded(&path, MAX_BYTES).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => refused(LinkFault::Missing),
                _ => Error::Read { path: path.clone(), source },
            })?;
        let wire: Option<Wire> = serde_json::from_slice(&bytes).ok();
        let wire = wire.filter(|wire| wire.format == FORMAT);
        let Wire { format: _, manifest, part: of, values, blinding } =
            wire.ok_or_else(|| refused(LinkFault::Malformed))?;
        if manifest != HexDigest(root.0) || of != part {
            return Err(refused(LinkFault::OfOtherParts));
        }
        if blinding.len() != columns {
            return Err(refused(LinkFault::Size));
        }
        let column = |values: Vec<HexDigest>| {
            let bytes: Vec<[u8; 32]> = values.into_iter().map(|HexDigest(bytes)| bytes).collect();
            <[[u8; 32]; BOUNDARY_BLINDING]>::try_from(bytes).ok()
        };
        let blinding = blinding.into_iter().map(column).collect::<Option<Vec<_>>>();
        let blinding = blinding.and_then(|columns| BoundaryBlinding::from_bytes(&columns));
        let blinding = blinding.ok_or_else(|| refused(LinkFault::Malformed))?;
        Ok(Link { path, values, blinding })
    }
}

impl Link {
    fn refused(&self, fault: LinkFault) -> Error {
        SplitError::Link { path: self.path.clone(), fault }.into()
    }

    /// The values as the inputs of a part.
    pub(super) fn tensors(&self, graph: &QuantizedGraph) -> Result<Vec<Vec<i64>>, Error> {
        tensors_of(graph, &self.values).ok_or_else(|| self.refused(LinkFault::Size))
    }

    /// Whether these are the values.
    pub(super) fn check_values(&self, values: &[i64]) -> Result<(), Error> {
        if self.values == values { Ok(()) } else { Err(self.refused(LinkFault::OtherValues)) }
    }

    /// The blinding for one proof of a part, which is counted: an empty file beside the link says that
    /// a proof may have been made, and is there before it is.
    pub(super) fn spend(self, part: usize) -> Result<BoundaryBlinding, Error> {
        for proof in 0..PROOFS_A_SIDE {
            let path = self.path.with_extension(format!("part-{part}-proof-{proof}"));
            match files::write_new(&path, |_| Ok::<_, io::Error>(())) {
                Ok(()) => return Ok(self.blinding),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::Write { path, source }),
            }
        }
        Err(self.refused(LinkFault::UsedUp { part }))
    }
}
