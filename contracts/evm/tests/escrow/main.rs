//! The rules of the escrow: each refusal by name, money of every kind, and whatever random calls do.

mod lies;
mod lockstep;
mod money;
mod random;
mod setting;
