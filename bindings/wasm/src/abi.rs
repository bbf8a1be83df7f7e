//! The exports of the module.
//!
//! The caller asks for room for each file ([`zkinfer_room`]), writes it there, and calls
//! [`zkinfer_check`], which leaves its report where [`zkinfer_report`] says. Memory is this
//! module's: no address comes in from outside.

#![expect(unsafe_code, reason = "an export has its name as it is written, which could clash")]

use std::cell::RefCell;

use crate::report::{Files, check};

/// Files that a caller may give, in this order.
const FILES: usize = 4;
const KEY: usize = 0;
const PROOF: usize = 1;
const EXPECTED: usize = 2;
const OPENING: usize = 3;

thread_local! {
    static GIVEN: RefCell<[Vec<u8>; FILES]> = const { RefCell::new([const { Vec::new() }; FILES]) };
    static REPORT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Room for `len` bytes of a file: 0 the key, 1 the proof, 2 what is expected, 3 the opening.
/// Null where there is no such file, or no memory.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn zkinfer_room(file: u32, len: u32) -> *mut u8 {
    GIVEN.with_borrow_mut(|given| {
        let (Ok(file), Ok(len)) = (usize::try_from(file), usize::try_from(len)) else {
            return std::ptr::null_mut();
        };
        let Some(bytes) = given.get_mut(file) else { return std::ptr::null_mut() };
        bytes.clear();
        if bytes.try_reserve_exact(len).is_err() {
            return std::ptr::null_mut();
        }
        bytes.resize(len, 0);
        bytes.as_mut_ptr()
    })
}

/// Checks the files that were given, forgets them, and returns the length of the report.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn zkinfer_check() -> u32 {
    let given = GIVEN.take();
    let files = Files {
        key: &given[KEY],
        proof: &given[PROOF],
        expected: &given[EXPECTED],
        opening: Some(&given[OPENING][..]).filter(|bytes| !bytes.is_empty()),
    };
    let report = check(&files);
    let len = u32::try_from(report.len()).unwrap_or(0);
    REPORT.set(report);
    len
}

/// Where the report lies.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn zkinfer_report() -> *const u8 {
    REPORT.with_borrow(|report| report.as_ptr())
}
