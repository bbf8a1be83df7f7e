//! Models in parts that nodes get from their coordinator, and what an auditor gets of a job of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use zkinfer::{
    Model, PartFiles, PartsExpectation, SrsPolicy,
    audit::{PartsAudit, RemakeParts},
    verifier::ProofFile,
};
use zkinfer_node::{
    Bundle, BundleError, Client, Config, Decimal, Evidence, FetchError, Hex, ModelFile, Wait,
    Worker, WorkerError, WorkerOptions,
};
use zkinfer_settlement::JobId;

use crate::{
    chunks::{PARTS, SPLIT, parts_config},
    common::{Coordinator, Node, PRICE, end_of, identity, options},
};

/// A coordinator that shares a copy of the model in parts, which lies in `folder`.
fn sharing(folder: &Path) -> (Config, PathBuf) {
    let copy = folder.join("shared");
    fs::create_dir_all(&copy).unwrap();
    for file in fs::read_dir(SPLIT.folder.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    fs::copy(&SPLIT.model, copy.join("model.onnx")).unwrap();
    let manifests = vec![copy.join("model.zkparts")];
    let config = parts_config(&folder.join("market"));
    (Config { manifests, share_models: true, ..config }, copy)
}

#[test]
fn nodes_without_anything_get_parts_from_their_coordinator_and_an_auditor_the_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let (config, copy) = sharing(folder.path());
    let coordinator = Coordinator::start(&config);
    let start = |name: &str, only: Vec<usize>| {
        Node::with(WorkerOptions { only, ..options(&coordinator.url, &folder.path().join(name)) })
    };
    // One of them works on one part alone.
    let nodes = [start("one", vec![2]), start("two", Vec::new())];
    let (client, chain_id) = coordinator.client();
    let request = SPLIT.request(&identity(1), chain_id, 1);
    client.submit(&request, Wait::None).unwrap();
    let view = end_of(&client, request.order.job());
    assert_eq!((view.state.as_str(), view.price), ("settled", Some(Decimal(PRICE))));
    SPLIT.check(&client, &request, &view);
    let parts = view.parts.unwrap();
    let of_first = Some(Hex(nodes[0].identity.address().0));
    assert!(parts.iter().enumerate().all(|(index, part)| index == 2 || part.node != of_first));
    nodes.into_iter().for_each(Node::stop);
    // What a node has it does not ask for again.
    fs::write(copy.join("model.onnx"), "another model").unwrap();
    Worker::new(&options(&coordinator.url, &folder.path().join("two"))).unwrap();

    let (_, market) = Client::connect(&coordinator.url).unwrap();
    let refused = Bundle::fetch(&client, market.clone(), JobId(parts[1].job.0)).unwrap_err();
    let whole = request.order.job();
    assert!(matches!(refused, BundleError::OnePart { whole: named } if named == whole));
    let bundle = folder.path().join("bundle");
    Bundle::fetch(&client, market, whole).unwrap().write(&bundle).unwrap();
    coordinator.stop();
    check_bundle(&bundle);
    audit(&bundle, &folder.path().join("shared"));
}

type Lie<'a> = (&'a dyn Fn(&mut Bundle), &'a [usize]);

/// Every signature and proof, without a network; and each lie in what is handed on.
fn check_bundle(folder: &Path) {
    let honest = Bundle::read(folder).unwrap();
    let failing = |bundle: &Bundle| {
        let findings = bundle.check(None, SrsPolicy::AllowInsecureDev);
        let failing = findings.iter().enumerate().filter(|(_, one)| one.failure.is_some());
        failing.map(|(place, _)| place).collect::<Vec<_>>()
    };
    assert_eq!(failing(&honest), [0; 0]);
    let strict = honest.check(None, SrsPolicy::CeremonyOnly);
    assert!(strict[2].failure.is_some(), "the development setup is not accepted unasked");
    fn proofs(bundle: &mut Bundle) -> &mut Option<Vec<Vec<u8>>> {
        let Evidence::Parts { proofs, .. } = &mut bundle.evidence else { panic!("parts") };
        proofs
    }
    fn parts(bundle: &mut Bundle) -> &mut Vec<zkinfer_node::PartView> {
        bundle.job.parts.as_mut().unwrap()
    }
    let lies: [Lie<'_>; 12] = [
        (&|bundle| bundle.job.order.price = Decimal(9), &[0, 1, 2, 5]),
        (&|bundle| bundle.job.signature.0[0] ^= 1, &[0]),
        (&|bundle| parts(bundle)[2].job.0[0] ^= 1, &[0, 5, 6]),
        (&|bundle| parts(bundle)[3].node = Some(Hex([7; 20])), &[1, 2]),
        (&|bundle| parts(bundle)[0].node = Some(Hex([7; 20])), &[2]),
        (&|bundle| bundle.job.answer.as_mut().unwrap().output[0] ^= 1, &[1, 2]),
        (&|bundle| *proofs(bundle) = None, &[2]),
        (&|bundle| proofs(bundle).as_mut().unwrap().swap(0, 1), &[2]),
        (&|bundle| proofs(bundle).as_mut().unwrap()[1][90] ^= 1, &[2]),
        (&|bundle| parts(bundle)[1].price.0 += 1, &[5]),
        (&|bundle| bundle.job.price = Some(Decimal(11)), &[5]),
        (&|bundle| bundle.log[0].whole = None, &[6]),
    ];
    for (place, (lie, expected)) in lies.into_iter().enumerate() {
        let mut bundle = honest.clone();
        lie(&mut bundle);
        assert_eq!(failing(&bundle), expected, "lie {place}");
    }
    // A part that nobody has answered for, or one less.
    let file = folder.join("part-3.zkproof");
    let proof = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(failing(&Bundle::read(folder).unwrap()), [2]);
    fs::write(&file, proof).unwrap();
    assert_eq!(failing(&Bundle::read(folder).unwrap()), [0; 0]);
}

/// The same files are what `zkinfer audit --manifest` takes, with the model and its settings.
fn audit(bundle: &Path, shared: &Path) {
    let files = PartFiles::in_folder(bundle);
    let manifest = files.read_manifest().unwrap();
    let keys = files.read_keys(&manifest).unwrap();
    let proof = |part| {
        let path = bundle.join(format!("part-{part}.zkproof"));
        ProofFile::decode(&fs::read(path).unwrap()).unwrap()
    };
    let proofs: Vec<ProofFile> = (0..PARTS).map(proof).collect();
    for part in 0..PARTS {
        let name = format!("part-{part}.zkinfer.json");
        fs::copy(shared.join(&name), bundle.join(&name)).unwrap();
    }
    let model = Model::open(&SPLIT.model).unwrap();
    let remake = RemakeParts { model: &model, files: &files, srs: None };
    let job = Bundle::read(bundle).unwrap().job.order.job();
    let policy = SrsPolicy::AllowInsecureDev;
    let expected = PartsExpectation::new(&manifest, &keys, job.0, policy);
    let audit = PartsAudit::new(&expected, &proofs, None, Some(&remake), &|_| ()).unwrap();
    assert!(audit.is_accepted() && audit.is_of_the_model(), "{audit:?}");
}

#[test]
fn parts_that_are_not_the_manifests_are_refused_and_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let (config, copy) = sharing(folder.path());
    let coordinator = Coordinator::start(&config);
    let root = Hex(SPLIT.parts.manifest.root().0);
    let new = || Worker::new(&options(&coordinator.url, folder.path()));
    for name in ["part-1.zkinfer.json", "model.onnx"] {
        let honest = fs::read(copy.join(name)).unwrap();
        fs::write(copy.join(name), "{}").unwrap();
        let refused = new().unwrap_err();
        let WorkerError::Fetch { model, source: FetchError::Model(_) } = refused else {
            panic!("{refused}")
        };
        assert_eq!(model, root);
        let kept = folder.path().join("models").join(root.to_string());
        assert!(!kept.join("model.zkparts").exists(), "it would not be asked for again");
        fs::write(copy.join(name), honest).unwrap();
    }
    new().unwrap();
    let no_such = WorkerOptions { only: vec![9], ..options(&coordinator.url, folder.path()) };
    let refused = format!("{:?}", Worker::new(&no_such).unwrap_err());
    assert!(refused.contains("NoSuchPart"), "{refused}");
}

#[test]
fn files_of_parts_that_are_not_shared_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&parts_config(&folder.path().join("market")));
    let (client, _) = coordinator.client();
    let root = Hex(SPLIT.parts.manifest.root().0);
    // Keys and manifest are everybody's.
    assert_eq!(client.manifest(root).unwrap(), SPLIT.parts.manifest);
    let files = [(ModelFile::Onnx, "no onnx"), (ModelFile::PartSettings(1), "no settings/1")];
    for (file, named) in files {
        let refused = client.model_file(root, file).unwrap_err();
        assert_eq!(refused.problem(), Some("not-found"));
        assert!(refused.to_string().contains(named), "{refused}");
    }
    assert_eq!(client.manifest(Hex([1; 32])).unwrap_err().problem(), Some("not-found"));
    let (mut config, copy) = sharing(folder.path());
    fs::remove_file(copy.join("model.onnx")).unwrap();
    config.folder = folder.path().join("other");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = runtime.block_on(zkinfer_node::Server::start(&config)).unwrap_err();
    assert!(refused.to_string().contains("model.onnx"), "{refused}");
}
