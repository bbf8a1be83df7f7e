//! What the files of the development SRS must be, so that a cached one need not be checked by
//! pairings, which would take as long as making it.

/// Keccak256 digest, in hex, of the points of the development SRS for `k` = 1, 2, ….
const DIGESTS: [&str; 20] = [
    "69cdb553a5c54625c280de26fa8aa392845ae01b9d51cd403b72cf7dc3f242b4",
    "6ec6dc155036924be58919a1346a7af86351601d43c5c5851b53c789603f614b",
    "8857e6ef75f17f771dbb1780501a380d50998ef64c01ff0694a525eb561e8ac8",
    "a55b7b4c1aa10a62e277658c750a3121ea5fa0f315b7101d074b01bd211664a0",
    "ecf75a026c04ccd79d8ce1387fbdfc96a58aa1408dd915f9b3e64ef3f51be02b",
    "e7c63efe733ef17afb74c3c361f1c9982b60aba9854b558f6f5dad24752e5d71",
    "354eb5e7986a5594eb7716d2b06b33a94989a965e7f5ab2a41fd27fdef94d17c",
    "86f5637d57c8ca4c6ece447b8c756fc607a1a9efaeb0e098f0a17ef8f05adc7f",
    "9a7b77286368cac0d9caa459ca7e497b10401b99c0c2f8f23d946eb886e9b6b7",
    "9a9dcaa648911589c7956a07025116707fb5bd2f09fd2e4e9283da36ca405c24",
    "56fff7a4dd5f5ef63e2c4c438b3a6d86b9313f73e9f57b2d9b8c08a052c874c2",
    "37146c0287ef85f72de3896c08924355ff646ab9eb0b3f71c5a6036cd73084d7",
    "8fee2792ce587088f5f63e96b3705590956b2719f1298baa35e6d0d0012e214f",
    "3e0eed639a07178ef8e67c434cacaa964f6a40559012d3f4f02ea46419b19e4e",
    "929a0349a19d0e8e37ee5cfa7ed6a76479470a272895056b01e987374734358a",
    "db464461b295fb86a33a018758e884e89ab3ee549ece8166a73fbfdb71163528",
    "74fb50bcd9710ef2d18dd431208cfc81091445e770535aa673c70fe2340ec0ff",
    "6d876189f07befaa761f29a363cb0781970152f76daf4ed288f9a24a35a15ed0",
    "4d424468fda6cf8b2d51cfef86692aaa7c17a69536a28ba15c94ec93b4f46400",
    "4ab90cc27fb9776f4a382e0b4522fcc834b7101f5d016769503bc657f768472e",
];

/// Whether `digest` is the one of the development SRS for `2^k` rows.
pub(super) fn is_known(k: u32, digest: &[u8; 32]) -> bool {
    let index = usize::try_from(k).ok().and_then(|k| k.checked_sub(1));
    index
        .and_then(|index| DIGESTS.get(index))
        .is_some_and(|known| *known == super::ceremony::hex(digest))
}
