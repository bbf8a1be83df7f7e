//! Files that somebody made to do harm.

use proptest::prelude::*;

use super::*;

#[test]
fn damaged_arrays_are_refused_and_allocate_nothing() {
    let folder = Folder::new();
    let bytes = std::fs::read(folder.npy(&Array2::<f32>::zeros((1, 3)))).unwrap();
    let path = folder.0.path().join("damaged.npy");
    for len in 0..bytes.len() {
        std::fs::write(&path, &bytes[..len]).unwrap();
        let read = read_inputs(&path, &one());
        match len {
            0 => assert!(matches!(read, Err(InputError::Empty))),
            1..6 => assert!(matches!(read, Err(InputError::Kind(FileKind::Other))), "{len}"),
            _ => assert!(matches!(read, Err(InputError::Npy { .. })), "{len}"),
        }
    }
    std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(matches!(read_inputs(&path, &one()), Err(InputError::Npy { .. })));
    let header = String::from_utf8_lossy(&bytes[10..]).into_owned();
    for shape in
        ["(9999999999999,)", "(99999999999, 99999999999, 99999999999)", "(-1, 3)", "(1, x)"]
    {
        let mut text = header.replace("(1, 3)", shape).into_bytes();
        let len = u16::try_from(text.iter().position(|&b| b == b'\n').unwrap() + 1).unwrap();
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend(len.to_le_bytes());
        file.append(&mut text);
        std::fs::write(&path, file).unwrap();
        assert!(matches!(read_inputs(&path, &one()), Err(InputError::Npy { .. })), "{shape}");
    }
    let path = folder.0.path().join("damaged.npz");
    std::fs::write(&path, b"PK\x03\x04 no archive").unwrap();
    assert!(matches!(read_inputs(&path, &one()), Err(InputError::Zip(_))));
}

/// Duplicate keys were searched for in quadratic time: 200,000 keys took minutes.
#[test]
fn many_names_take_linear_time() {
    let fields: Vec<String> = (0..200_000).map(|i| format!("\"k{i}\":0")).collect();
    let text = format!("{{{}}}", fields.join(","));
    let error = input_of(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("`x` of shape [1, 3] is missing"), "{error}");
    assert!(error.len() < 300, "{error}");
    let twice = format!("{{{},\"k7\":0}}", fields.join(","));
    let error = input_of(twice.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("`k7` is given twice"), "{error}");
}

/// Lists of lists took some 40 times the memory of their text.
#[test]
fn lists_that_are_no_arrays_are_bounded() {
    let empty = format!("{{\"x\": [{}]}}", vec!["[]"; 3_000_000].join(","));
    let error = input_of(empty.as_bytes()).unwrap_err();
    assert!(
        matches!(error, InputError::Shape { ref got, .. } if *got == [3_000_000, 0]),
        "{error}"
    );
    let ragged = format!("{{\"x\": [{}]}}", vec!["[],[1]"; 1_000_000].join(","));
    let error = input_of(ragged.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("more than 1048576 values that are no lists of numbers"), "{error}");
    let many = format!("{{\"input_data\": [{}0]}}", "0,".repeat(2_000_000));
    assert!(matches!(input_of(many.as_bytes()), Err(InputError::ManySamples { .. })));
}

/// A file of each format, whole.
fn files_of_each_format() -> Vec<Vec<u8>> {
    let folder = Folder::new();
    let array = Array2::from_shape_fn((1, 3), |(_, j)| j as f32);
    let members = [("s00_in_x", array.clone().into_dyn()), ("s00_out_y", array.clone().into_dyn())];
    let arrays = [folder.npy(&array), folder.npz(&members)];
    let arrays = arrays.map(|path| std::fs::read(path).unwrap());
    let texts = [
        r#"{"input_shapes": [[1, 3]], "input_data": [[1, -2.5e3, 3]], "output_data": [[1, 2, 3]]}"#,
        r#"{"inputs": [{"name": "x"}], "samples": [{"inputs": [[1, 2, 3]], "label": 1}]}"#,
        "{\"x\": [1, 2, 3]}\n{\"x\": [[4, 5, 6]]}\n",
        "a,label,b,c\n1,0,2,3\n4,7,5,6\n",
        "\u{feff}1;2;3\r\n",
    ];
    arrays.into_iter().chain(texts.map(|text| text.as_bytes().to_vec())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    /// Whatever somebody sends is read or refused; nothing panics, nothing takes long.
    #[test]
    fn mutated_files_are_read_or_refused(
        kind in 0..7usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4u8, any::<u8>()), 1..6),
    ) {
        let mut bytes = files_of_each_format().swap_remove(kind);
        for (at, edit, byte) in edits {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            match edit {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                2 => bytes.extend_from_within(at..),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|old| *old ^= byte),
            }
        }
        let start = std::time::Instant::now();
        if let Ok(file) = InputFile::from_bytes(&bytes) {
            for graph in [one(), two()] {
                let _ = (file.inputs(&graph), file.samples(&graph), file.outputs(&graph));
                let _ = file.reference(&graph);
            }
            let _ = (file.labels(), file.notes());
        }
        prop_assert!(start.elapsed().as_secs() < 10);
    }
}
