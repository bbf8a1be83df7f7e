//! A model with its key, and coordinators and nodes in this process.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;
use tokio::sync::oneshot;
use zkinfer::{
    Device, InputData, KeyFiles, Keys, Model, Quantized, Recipe,
    verifier::{ClaimedValues, VerifyingKey},
};
use zkinfer_node::{
    Client, Config, Decimal, Hex, Identity, JobRequest, JobView, Order, Rules, Server, Wait,
    Worker, WorkerOptions,
};
use zkinfer_settlement::{JobId, ValuesDigest};

/// The stake of orders of these tests; all bonds are a multiple.
pub(crate) const STAKE: u128 = 20;
pub(crate) const PRICE: u128 = 10;
/// Seconds that no test takes: nothing here depends on how quick the machine is.
pub(crate) const DAY: u64 = 86_400;
/// What every account has.
pub(crate) const PLAY_MONEY: u64 = 100_000;

/// digits_mlp, calibrated with its samples, its settings and key beside it.
pub(crate) struct Zoo {
    pub(crate) folder: TempDir,
    pub(crate) quantized: Quantized,
    pub(crate) keys: Keys,
    pub(crate) input: Vec<i64>,
}

pub(crate) static ZOO: LazyLock<Zoo> = LazyLock::new(|| {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/digits_mlp");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits_mlp.onnx");
    std::fs::copy(zoo.join("model.onnx"), &path).unwrap();
    let model = Model::open(&path).unwrap();
    let samples = InputData::read_samples(&zoo.join("samples.npz")).unwrap();
    let samples = Recipe { samples: Some(samples), ..Recipe::default() };
    let files = KeyFiles::beside_model(&path);
    let quantized = model.quantize(&samples, &files.settings, &[]).unwrap();
    let keys = Keys::make(&model, &quantized, None, &Device::default(), &|_| ()).unwrap();
    files.store(&keys, &quantized.settings, None).unwrap();
    let input = model.read_input(&zoo.join("input.json")).unwrap();
    let input = model.run(&quantized, &input).unwrap().integers.concat();
    Zoo { folder, quantized, keys, input }
});

impl Zoo {
    pub(crate) fn key(&self) -> &VerifyingKey {
        self.keys.verifying_key()
    }

    pub(crate) fn model(&self) -> Hex<32> {
        Hex(self.key().digest().0.0)
    }

    pub(crate) fn path(&self, suffix: &str) -> PathBuf {
        self.folder.path().join("digits_mlp").with_extension(suffix)
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// An order of a buyer that differs from others by its nonce.
pub(crate) fn request(buyer: &Identity, chain_id: u64, nonce: u64, seconds: u64) -> JobRequest {
    let input = ZOO.input.clone();
    let order = Order {
        chain_id: Decimal(chain_id),
        buyer: buyer.public_key(),
        model: ZOO.model(),
        input: Hex(ValuesDigest::of(&ClaimedValues::Public(input.clone())).0.0),
        nonce: Decimal(nonce),
        price: Decimal(PRICE),
        stake: Decimal(STAKE),
        deadline: now() + seconds,
        sampling: None,
        ramp: None,
        sealed: None,
    };
    order.request(buyer, input)
}

/// Orders a job, and waits for its answer.
pub(crate) fn answered(client: &Client, request: &JobRequest) -> JobView {
    let mut view = client.submit(request, Wait::Answer).unwrap();
    while view.answer.is_none() {
        assert_eq!(view.at, None, "{}", view.state);
        view = client.job(request.order.job(), Wait::Answer).unwrap();
    }
    view
}

/// Waits for the end of a job.
pub(crate) fn end_of(client: &Client, job: JobId) -> JobView {
    loop {
        let view = client.job(job, Wait::End).unwrap();
        if view.at.is_some() {
            return view;
        }
    }
}

pub(crate) fn identity(byte: u8) -> Identity {
    Identity::from_seed([byte; 32])
}

/// A coordinator in this process.
pub(crate) struct Coordinator {
    pub(crate) url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

pub(crate) fn config(folder: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".to_owned(),
        folder: folder.to_owned(),
        keys: vec![ZOO.path("zkvk")],
        allow_insecure_srs: true,
        play_money: PLAY_MONEY,
        rules: Rules {
            answer_seconds: 3_600,
            prove_seconds: 3_600,
            reveal_seconds: 3_600,
            heartbeat_seconds: 3_600,
            max_stake: 20,
            probation_jobs: 1,
            ..Rules::default()
        },
        ..Config::default()
    }
}

impl Coordinator {
    pub(crate) fn start(config: &Config) -> Self {
        let (config, (stop, stopped)) = (config.clone(), oneshot::channel());
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::start(&config).await.unwrap();
                tell.send(format!("http://{}", server.address().unwrap())).unwrap();
                server.run(async { drop(stopped.await) }).await.unwrap();
            });
        });
        Self { url: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn client(&self) -> (Client, u64) {
        let (client, view) = Client::connect(&self.url).unwrap();
        (client, view.chain_id.0)
    }

    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

/// Those of a node that serves what its coordinator shares.
pub(crate) fn options(url: &str, folder: &Path) -> WorkerOptions {
    WorkerOptions {
        market: url.to_owned(),
        identity: folder.join("node.key"),
        models: Vec::new(),
        parts: Vec::new(),
        only: Vec::new(),
        fetched: folder.join("models"),
        srs: None,
        slots: 8,
        answerers: 2,
        bond: 200,
        ask: 0,
        rate: 0,
        drand: None,
    }
}

/// A node in this process.
pub(crate) struct Node {
    pub(crate) identity: Identity,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    pub(crate) fn start(url: &str, folder: &Path) -> Self {
        Self::with(WorkerOptions { models: vec![ZOO.path("onnx")], ..options(url, folder) })
    }

    pub(crate) fn with(options: WorkerOptions) -> Self {
        let worker = Worker::new(&options).unwrap();
        let (identity, stop) = (worker.identity().clone(), Arc::new(AtomicBool::new(false)));
        let asked = stop.clone();
        let thread = std::thread::spawn(move || worker.run(&asked).unwrap());
        Self { identity, stop, thread: Some(thread) }
    }

    pub(crate) fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}
