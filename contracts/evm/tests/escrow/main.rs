//! The rules of the escrow: each refusal by name, money of every kind, and whatever random calls do.

mod joint;
mod lies;
mod lockstep;
mod money;
mod openings;
mod random;
mod setting;
