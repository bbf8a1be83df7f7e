//! Models that reach nodes from their coordinator, by digest.

use std::{fs, path::Path};

use zkinfer_node::{ClientError, FetchError, ModelFile, Worker, WorkerError};

use crate::common::{Coordinator, DAY, Node, ZOO, config, end_of, identity, options, request};

/// A coordinator that shares a copy of the model, which lies in `folder`.
fn sharing(folder: &Path) -> Coordinator {
    for suffix in ["onnx", "zkinfer.json", "zkvk"] {
        fs::copy(ZOO.path(suffix), folder.join("shared").with_extension(suffix)).unwrap();
    }
    let mut config = config(&folder.join("market"));
    config.keys = vec![folder.join("shared.zkvk")];
    config.share_models = true;
    Coordinator::start(&config)
}

#[test]
fn a_node_without_a_model_gets_it_from_its_coordinator() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = sharing(folder.path());
    let node = Node::with(options(&coordinator.url, folder.path()));
    let (client, chain_id) = coordinator.client();
    let request = request(&identity(1), chain_id, 1, DAY);
    client.submit(&request, zkinfer_node::Wait::None).unwrap();
    assert_eq!(end_of(&client, request.order.job()).state, "settled");
    node.stop();
    // What it has it does not ask for again.
    fs::write(folder.path().join("shared.onnx"), "another model").unwrap();
    Worker::new(&options(&coordinator.url, folder.path())).unwrap();
}

#[test]
fn a_model_that_is_not_the_keys_is_refused_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = sharing(folder.path());
    // One that is a model, but another: its settings say other integers.
    let path = folder.path().join("shared.zkinfer.json");
    let honest = fs::read(&path).unwrap();
    let other = fs::read(folder.path().join("shared.onnx")).unwrap();
    let lies = [("shared.zkinfer.json", b"{}".to_vec()), ("shared.onnx", b"no model".to_vec())];
    for (name, lie) in lies {
        fs::write(folder.path().join(name), lie).unwrap();
        let refused = Worker::new(&options(&coordinator.url, folder.path())).unwrap_err();
        let WorkerError::Fetch { model, source: FetchError::Model(_) } = refused else {
            panic!("{refused}")
        };
        assert_eq!(model, ZOO.model());
        let kept = folder.path().join("models").join(model.to_string());
        assert_eq!(fs::read_dir(kept).unwrap().count(), 0);
        fs::write(&path, &honest).unwrap();
        fs::write(folder.path().join("shared.onnx"), &other).unwrap();
    }
    Worker::new(&options(&coordinator.url, folder.path())).unwrap();
}

#[test]
fn a_coordinator_that_shares_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = Coordinator::start(&config(&folder.path().join("market")));
    let refused = Worker::new(&options(&coordinator.url, folder.path())).unwrap_err();
    assert!(matches!(refused, WorkerError::NoModels), "{refused}");
    let (client, _) = coordinator.client();
    let refused: ClientError = client.model_file(ZOO.model(), ModelFile::Onnx).unwrap_err();
    assert_eq!(refused.problem(), Some("not-found"));
    let mut without = config(&folder.path().join("other"));
    fs::copy(ZOO.path("zkvk"), folder.path().join("alone.zkvk")).unwrap();
    (without.keys, without.share_models) = (vec![folder.path().join("alone.zkvk")], true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = runtime.block_on(zkinfer_node::Server::start(&without)).unwrap_err();
    assert!(refused.to_string().contains("alone.onnx"), "{refused}");
}
