//! The queue in a NATS server, where there is one: named by `NATS_SERVER`, or on the path.

use std::{
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use zkinfer::verifier::{Digest, KeyDigest};
use zkinfer_node::{
    NatsOptions, NatsQueue, Queue, QueueError, Taken,
    conformance::{CHECKS, MAX_DELIVERIES},
};
use zkinfer_settlement::JobId;

use crate::{
    crash::free_port,
    parts::{Parts, faults},
    simulation::{Plan, survive},
};

/// A NATS server of its own, which ends with the test.
pub(crate) struct NatsServer {
    pub(crate) url: String,
    process: Child,
    _store: tempfile::TempDir,
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

/// A server, if there is one on this machine: named by `NATS_SERVER`, or on the path.
pub(crate) fn nats_server() -> Option<NatsServer> {
    let program = std::env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let (store, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut command = Command::new(&program);
    command.args(["--jetstream", "--addr", "127.0.0.1", "--port", &port.to_string()]);
    command.arg("--store_dir").arg(store.path()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(process) = command.spawn() else {
        println!("skipped: there is no {program}; NATS_SERVER may name a NATS server");
        return None;
    };
    let server = NatsServer { url: format!("nats://127.0.0.1:{port}"), process, _store: store };
    let end = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "the server does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(server)
}

fn nats(server: &NatsServer, market: u64) -> NatsQueue {
    let (url, max_deliveries) = (server.url.clone(), MAX_DELIVERIES);
    NatsQueue::open(&NatsOptions { url, nkey: None, market, max_deliveries }).unwrap()
}

#[test]
fn a_nats_server_is_a_queue() {
    let Some(server) = nats_server() else { return };
    for ((name, check), market) in CHECKS.into_iter().zip(1..) {
        println!("{name}");
        check(&mut nats(&server, market)).unwrap();
    }
}

/// Whoever comes next has what was not taken, what was taken, and what is dead; each counted on.
#[test]
fn a_queue_in_a_nats_server_outlives_its_coordinators() {
    let Some(server) = nats_server() else { return };
    let (model, job) = (KeyDigest(Digest([7; 32])), |number| JobId([number; 32]));
    let taken = |number, deliveries| Some(Taken { job: job(number), deliveries });
    let mut queue = nats(&server, 1);
    for number in 1..=3 {
        queue.put(job(number), model).unwrap();
    }
    assert_eq!(queue.take(&[model], 0, 1_000_000, &mut |_| true).unwrap(), taken(1, 1));
    queue.drop_job(job(2)).unwrap();
    drop(queue);
    let mut queue = nats(&server, 1);
    assert_eq!(queue.depth(0).unwrap().waiting, 2);
    queue.put(job(1), model).unwrap();
    let mut both = vec![
        queue.take(&[model], 0, 10, &mut |_| true).unwrap(),
        queue.take(&[model], 0, 10, &mut |_| true).unwrap(),
    ];
    both.sort_by_key(|taken| taken.as_ref().map(|taken| taken.job));
    assert_eq!(both, [taken(1, 2), taken(3, 1)]);
    drop(queue);
    let mut queue = nats(&server, 1);
    // Once more for the first, which is then dead, for this coordinator and for the next.
    while queue.take(&[model], 1_000, 1_000, &mut |_| true).unwrap().is_some() {}
    assert!(queue.dead().unwrap().contains(&job(1)));
    drop(queue);
    let mut queue = nats(&server, 1);
    assert!(queue.dead().unwrap().contains(&job(1)));
    queue.put(job(1), model).unwrap();
    assert_eq!(queue.take(&[model], 2_000, 3_000, &mut |_| true).unwrap(), None);
    queue.drop_job(job(1)).unwrap();
    drop(queue);
    assert!(!nats(&server, 1).dead().unwrap().contains(&job(1)));
    // Another market in the same server is another queue.
    assert_eq!(nats(&server, 2).depth(0).unwrap().waiting, 0);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let options = NatsOptions {
        url: format!("nats://127.0.0.1:{}", free_port()),
        nkey: None,
        market: 1,
        max_deliveries: 3,
    };
    let refused = NatsQueue::open(&options).unwrap_err();
    assert!(matches!(refused, QueueError::Nats { what: "open", .. }), "{refused}");
}

/// Nodes and coordinators are killed; the server goes on.
#[test]
fn ten_thousand_jobs_in_a_nats_server_survive_nodes_and_coordinators_that_are_killed() {
    let Some(server) = nats_server() else { return };
    survive(Plan {
        seed: 3,
        jobs: 10_000,
        kills: true,
        rising: false,
        nats: Some(server.url.clone()),
    });
}

/// Models in parts, with a node that is gone, one that lies and a coordinator that is killed.
#[test]
fn parts_survive_on_a_server() {
    let Some(server) = nats_server() else { return };
    for (market, kill) in [(71, 3), (72, 7), (73, usize::MAX)] {
        let url = server.url.clone();
        let queue = move || -> Box<dyn Queue> {
            let (url, max_deliveries) = (url.clone(), MAX_DELIVERIES);
            let options = NatsOptions { url, nkey: None, market, max_deliveries };
            Box::new(NatsQueue::open(&options).unwrap())
        };
        faults::survive(Parts::with(Box::new(queue)), kill);
    }
}
