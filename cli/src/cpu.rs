//! What the processor must offer.

use anyhow::Result;

/// Refuses a processor that would stop at the first field multiplication of halo2's assembly.
#[cfg(target_arch = "x86_64")]
pub(crate) fn check() -> Result<()> {
    let missing =
        [("BMI2", is_x86_feature_detected!("bmi2")), ("ADX", is_x86_feature_detected!("adx"))];
    if let Some((name, _)) = missing.into_iter().find(|(_, found)| !found) {
        anyhow::bail!(
            "this processor lacks {name}; on x86-64, zkinfer needs one from 2015 or later"
        );
    }
    Ok(())
}

/// Other architectures use portable arithmetic.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn check() -> Result<()> {
    Ok(())
}
