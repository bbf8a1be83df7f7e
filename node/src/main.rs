//! `zkinfer-market`: a coordinator, a node, and a buyer.

mod args;
mod auditor;
mod buyer;
mod central;
mod output;

use std::{
    num::NonZero,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result};
use clap::Parser;
use zkinfer_node::{Config, Server, Worker};

use args::{Args, Command};
use output::say;

/// Threads for requests, at least.
const MIN_THREADS: usize = 4;

/// Set when the process is asked to end.
static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_max_level(args.log)
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    let outcome = match &args.command {
        Command::Serve(serve) => run_server(serve),
        Command::Node(node) => run_node(node),
        Command::Job(job) => buyer::run(job),
        Command::Bundle(bundle) => auditor::bundle(bundle),
        Command::Check(check) => auditor::check(check),
        Command::Report(report) => auditor::report(report),
        Command::Weights(weights) => auditor::weights(weights),
        Command::Replay(replay) => auditor::replay(replay),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run_server(args: &args::Serve) -> Result<ExitCode> {
    let config = args.config()?;
    runtime()?.block_on(async {
        let server = Server::start(&config).await?;
        say(format_args!("listening on http://{}", server.address()?))?;
        server.run(asked_to_end()).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn run_node(args: &args::Node) -> Result<ExitCode> {
    let worker = Worker::new(&args.options())?;
    let identity = worker.identity();
    say(format_args!("node {}, key {}", identity.address(), identity.public_key()))?;
    let runtime = runtime()?;
    runtime.spawn(async {
        asked_to_end().await;
        STOP.store(true, Ordering::Relaxed);
    });
    worker.run(&STOP)?;
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // Whoever changes the market keeps his thread for as long as that takes.
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).max(MIN_THREADS);
    builder.worker_threads(threads).enable_all().build().context("no threads for the network")
}

/// Until the process gets SIGINT or SIGTERM.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _interrupted = tokio::signal::ctrl_c().await;
}

impl args::Serve {
    /// The file, and over it the flags.
    fn config(&self) -> Result<Config> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)
                .with_context(|| format!("the configuration {}", path.display()))?,
            None => Config::default(),
        };
        if let Some(listen) = &self.listen {
            config.listen.clone_from(listen);
        }
        if let Some(folder) = &self.folder {
            config.folder.clone_from(folder);
        }
        if self.nats.is_some() {
            config.queue.nats.clone_from(&self.nats);
        }
        if !self.key.is_empty() {
            config.keys.clone_from(&self.key);
        }
        if !self.manifest.is_empty() {
            config.manifests.clone_from(&self.manifest);
        }
        if self.srs.is_some() {
            config.srs.clone_from(&self.srs);
        }
        config.share_models |= self.share_models;
        config.allow_insecure_srs |= self.allow_insecure_srs;
        config.play_money = self.play_money.unwrap_or(config.play_money);
        Ok(config)
    }
}
