//! Processes that are killed: no job is lost, and none is paid twice.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use zkinfer_node::{Client, ClientError, Decimal, JobRequest, Wait};

use crate::common::{DAY, Node, PLAY_MONEY, PRICE, ZOO, identity, request};

const JOBS: u64 = 12;
/// After this long, something hangs.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// A process that is killed when the test ends.
pub(crate) struct Killed(Child);

impl Killed {
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkinfer-market"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// Starts a process and reads its first line.
pub(crate) fn started(command: &mut Command) -> Killed {
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "the process has ended");
    Killed(child)
}

fn coordinator(folder: &Path, port: u16) -> Killed {
    let listen = format!("127.0.0.1:{port}");
    let config = folder.join("market.toml");
    let rules = "max_stake = 20\nprobation_jobs = 1\nheartbeat_seconds = 3600\n";
    // What a lease is good for that nobody hears of, `leases.rs` shows in virtual time. Here the nodes
    // are told of theirs again, however slow the machine is.
    let times = "answer_seconds = 3600\nprove_seconds = 3600\n";
    std::fs::write(&config, format!("[rules]\n{rules}{times}")).unwrap();
    started(
        command()
            .arg("serve")
            .arg("--config")
            .arg(config)
            .args(["--listen", &listen, "--allow-insecure-srs"])
            .args(["--play-money", &PLAY_MONEY.to_string()])
            .arg("--folder")
            .arg(folder.join("market"))
            .arg("--key")
            .arg(ZOO.folder.path().join("digits_mlp.zkvk")),
    )
}

fn node(folder: &Path, url: &str) -> Killed {
    started(
        command()
            .arg("node")
            .args(["--market", url, "--bond", "200"])
            .arg("--identity")
            .arg(folder.join("node.key"))
            .arg("--model")
            .arg(ZOO.folder.path().join("digits_mlp.onnx")),
    )
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks until the coordinator is there.
pub(crate) fn persist<T>(mut ask: impl FnMut() -> Result<T, ClientError>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(value) => return value,
            Err(error) if error.is_passing() && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Every job was paid, once.
fn check_paid(client: &Client, requests: &[JobRequest], node: zkinfer_settlement::Address) {
    wait_for_all(client, requests);
    // The log is whole, and says of each job that it was paid, once.
    let (_, market) = persist(|| Client::connect(client.market()));
    let (entries, _) = persist(|| client.log(market.coordinator));
    for request in requests {
        let of_job = entries.iter().filter(|entry| entry.job.0 == request.order.job().0);
        let mut said: Vec<&str> = of_job.map(|entry| entry.event.as_str()).collect();
        // A crash may undo the last word, which then comes again.
        while let Some(place) = said.iter().position(|event| *event == "undone") {
            said.drain(place - 1..=place);
        }
        assert_eq!(said.iter().filter(|event| **event == "settled").count(), 1, "{said:?}");
        assert_eq!(said.last(), Some(&"settled"));
    }
    let count = u128::try_from(requests.len()).unwrap();
    let balance = |account| persist(|| client.account(account)).balance;
    let play_money = u128::from(PLAY_MONEY);
    assert_eq!(balance(identity(1).address()), Decimal(play_money - count * PRICE));
    let node = persist(|| client.account(node));
    assert_eq!(node.balance.0 + node.bond.0, play_money + count * PRICE);
    // A node that is started while stakes are held fills its bond up from its balance.
    assert!(node.bond.0 >= 200, "no stake was lost");
}

fn wait_for_all(client: &Client, requests: &[JobRequest]) {
    let end = Instant::now() + PATIENCE;
    for request in requests {
        let job = request.order.job();
        let view = std::iter::repeat_with(|| persist(|| client.job(job, Wait::End)))
            .find(|view| view.at.is_some() || Instant::now() > end)
            .unwrap();
        let nodes = persist(|| client.nodes()).nodes;
        assert_eq!(view.state, "settled", "{nodes:#?}");
    }
}

#[test]
fn a_coordinator_that_is_killed_again_and_again_loses_no_job_and_pays_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut market = coordinator(folder.path(), port);
    let url = format!("http://127.0.0.1:{port}");
    let worker = Node::start(&url, folder.path());
    let (client, view) = Client::connect(&url).unwrap();
    let requests: Vec<JobRequest> =
        (0..JOBS).map(|nonce| request(&identity(1), view.chain_id.0, nonce, DAY)).collect();
    for (index, request) in requests.iter().enumerate() {
        persist(|| client.submit(request, Wait::None));
        if index % 3 == 2 {
            // At another moment of the jobs' lives each time.
            std::thread::sleep(Duration::from_millis(13 * u64::try_from(index).unwrap()));
            market.kill();
            market = coordinator(folder.path(), port);
        }
    }
    check_paid(&client, &requests, worker.identity.address());
    drop(market);
    // What it needed was on disk all the time.
    let _market = coordinator(folder.path(), port);
    check_paid(&client, &requests, worker.identity.address());
    worker.stop();
}

#[test]
fn a_node_that_is_killed_takes_its_jobs_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let _market = coordinator(folder.path(), port);
    let url = format!("http://127.0.0.1:{port}");
    let (client, view) = Client::connect(&url).unwrap();
    let mut worker = node(folder.path(), &url);
    let requests: Vec<JobRequest> =
        (0..JOBS).map(|nonce| request(&identity(1), view.chain_id.0, nonce, DAY)).collect();
    for (index, request) in requests.iter().enumerate() {
        let wait = if index % 4 == 3 { Wait::Answer } else { Wait::None };
        persist(|| client.submit(request, wait));
        if index % 4 == 3 {
            worker.kill();
            worker = node(folder.path(), &url);
        }
    }
    let identity = zkinfer_node::Identity::load_or_create(&folder.path().join("node.key")).unwrap();
    check_paid(&client, &requests, identity.address());
}
