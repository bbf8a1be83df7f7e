//! Errors and rejections in words, with the options that help.

use zkinfer::{Error, KeyDifference, LinkFault, Side, SplitError, models::InputError};
use zkinfer_report::chain;

/// An error, each of its causes once, and what to do about it.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let text = chain(error.chain());
    match error.downcast_ref().and_then(advice) {
        Some(advice) => text + "; " + advice,
        None => text,
    }
}

/// What to do about an error, where something can be done.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Input { source: InputError::Several { .. }, .. } => {
            "give one, or prove all of them with prove --inputs FILE"
        }
        Error::NothingToCalibrateWith => "pass --calibrate FILE with samples, or --input FILE",
        Error::SettingsOfAnotherModel { .. } => "remove it or name another with --settings",
        Error::AnotherKey { difference, .. } => match difference {
            KeyDifference::Srs { .. } => {
                "choose it with --srs; or remove it, or choose another place"
            }
            KeyDifference::Name { .. } => {
                "give that --name; or remove the key with its settings, or choose another place"
            }
            KeyDifference::AccuracyReport => {
                "leave out --test-set, or pass the one it was made with; or remove it, or choose \
                 another place"
            }
            KeyDifference::Settings => {
                "pass them with --settings, or leave out --calibrate, --activation-bits, --commit, \
                 --optimize and --name; or remove it, or choose another place"
            }
            _ => "remove it, or choose another place",
        },
        Error::AnotherSettings { .. } => {
            "pass them with --settings; or remove them, or choose another place for the new ones"
        }
        Error::SettingsFormat { .. } | Error::SettingsSemantics { .. } => {
            "make them again: zkinfer setup MODEL --calibrate FILE, with -o for another place"
        }
        Error::UnshownAccuracy { .. } => {
            "put the report beside the settings, or measure a new one with --test-set FILE"
        }
        Error::Exists { .. } => "name another file with --output",
        Error::Shown { side: Side::Input } => {
            "give it with --expect-input or --input; for a key that commits to it: zkinfer setup \
             MODEL --commit input"
        }
        Error::Shown { side: Side::Output } => "use --expect-output",
        Error::Hidden { .. } => "pass --opening FILE",
        Error::Parts(SplitError::Input { wanted: true, .. }) => "give it with --input FILE",
        Error::Parts(SplitError::Link { fault: LinkFault::Missing, .. }) => {
            "whoever has the input writes it: zkinfer run MODEL --input FILE --manifest FILE --links DIR"
        }
        Error::Parts(SplitError::Link { fault: LinkFault::Exists, .. }) => {
            "name another folder with --links: the links of one run belong together"
        }
        _ => return None,
    })
}
