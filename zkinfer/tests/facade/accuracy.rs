//! A key binds only a report that was measured, or that is shown to be of its own integers.

use std::fs;

use zkinfer::{Error, UnshownAccuracy};

use crate::support::Place;

fn refused(place: &Place) -> UnshownAccuracy {
    match place.to_bind() {
        Err(Error::UnshownAccuracy { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_report_beside_the_settings_is_bound_if_it_is_of_their_integers() {
    let place = Place::new();
    place.set_up();
    // The key that is there binds it already.
    assert_eq!(place.to_bind().unwrap(), None);
    fs::remove_file(place.files().key).unwrap();
    assert_eq!(place.to_bind().unwrap(), Some(false));
}

#[test]
fn a_report_that_is_not_shown_is_not_bound() {
    let place = Place::new();
    place.set_up();
    let files = place.files();
    fs::remove_file(&files.key).unwrap();
    let report = fs::read_to_string(&files.accuracy).unwrap();
    fs::remove_file(&files.accuracy).unwrap();
    assert_eq!(refused(&place), UnshownAccuracy::Missing);
    let count = "\"count\": 12";
    assert!(report.contains(count));
    fs::write(&files.accuracy, report.replacen(count, "\"count\": 13", 1)).unwrap();
    assert_eq!(refused(&place), UnshownAccuracy::Another);
    fs::write(&files.accuracy, "no report").unwrap();
    assert!(matches!(place.to_bind(), Err(Error::AccuracyReport { .. })));
}

/// Somebody writes the digest of a good report into settings of coarser integers.
#[test]
fn a_report_of_other_integers_is_not_bound() {
    let place = Place::new();
    place.set_up();
    let files = place.files();
    fs::remove_file(&files.key).unwrap();
    let settings = fs::read_to_string(&files.settings).unwrap();
    let coarser = settings.replacen("\"activation_bits\": 8", "\"activation_bits\": 4", 1);
    assert_ne!(settings, coarser);
    fs::write(&files.settings, coarser).unwrap();
    assert_eq!(refused(&place), UnshownAccuracy::OfOtherIntegers);
}
