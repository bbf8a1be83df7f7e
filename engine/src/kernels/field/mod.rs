//! Arithmetic of the two fields on packs of elements: `portable` has one element to a pack, `wide`
//! eight, `narrow` four. All three are Montgomery's, with the same values.

pub(crate) mod arithmetic;
#[cfg_attr(
    not(any(target_arch = "x86_64", test)),
    expect(dead_code, reason = "constants and operations of vectors alone are among them")
)]
pub(super) mod modulus;
#[cfg(any(target_arch = "x86_64", test))]
mod narrow;
pub(crate) mod pack;
mod portable;
#[cfg(test)]
pub(super) mod tests;
#[cfg_attr(
    not(any(target_arch = "x86_64", test)),
    expect(dead_code, reason = "constants and operations of vectors alone are among them")
)]
mod wide;
