//! What a coordinator can be told: one file, and flags that override it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

/// Everything that a coordinator's file can say. Every key has a default.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen: address and port.
    pub listen: String,
    /// The folder of everything that the coordinator keeps.
    pub folder: PathBuf,
    /// The verifying keys of the models that are served.
    pub keys: Vec<PathBuf>,
    /// The manifests of models in parts that are served, each with the keys beside it.
    pub manifests: Vec<PathBuf>,
    /// The ceremony of the keys of parts; the development setup where none is named.
    pub srs: Option<PathBuf>,
    /// Whether nodes are given the models themselves, which lie beside their keys: `.onnx` and
    /// `.zkinfer.json`.
    pub share_models: bool,
    /// Whether proofs under the insecure development setup are paid.
    pub allow_insecure_srs: bool,
    /// For trials: every account that comes has this much, once.
    pub play_money: u64,
    /// How jobs are given out.
    pub rules: Rules,
    /// What requests may take.
    pub limits: Limits,
    /// Where the queue is.
    pub queue: QueueConfig,
}

/// Where the queue is: in the folder, or in a NATS server with JetStream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueConfig {
    /// The server, as `nats://127.0.0.1:4222`; in the folder where none is named.
    pub nats: Option<String>,
    /// The file of the seed of an nkey to log in with, if the server asks for one.
    pub nkey: Option<PathBuf>,
}

/// How jobs are given out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Seconds a node has for an answer.
    pub answer_seconds: u64,
    /// Seconds a node has for a proof of its answer.
    pub prove_seconds: u64,
    /// Seconds a buyer has to reveal whether an answer is drawn; then it is accepted.
    pub reveal_seconds: u64,
    /// Seconds between two signs of life of a node; after three without one it gets no jobs.
    pub heartbeat_seconds: u64,
    /// Proofs in time until a node is trusted with more than one job at once.
    pub probation_jobs: u32,
    /// How often a job is given out.
    pub max_deliveries: u32,
    /// The largest stake of a job. A node whose bond has less that is free gets no job.
    pub max_stake: u64,
    /// Seconds for which a node that was slashed gets no job.
    pub ejection_seconds: u64,
    /// Nodes among which the least loaded gets a job.
    pub candidates: usize,
    /// Jobs that may be open at once.
    pub max_live_jobs: usize,
}

/// What requests may take.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request.
    pub body_bytes: usize,
    /// Requests at once, those that wait included.
    pub concurrent: usize,
    /// Orders a second of one buyer, on average; ten times as many at once.
    pub orders_per_second: u32,
    /// Seconds by which the time of a signed request may be off.
    pub clock_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8645".to_owned(),
            folder: PathBuf::from("market"),
            keys: Vec::new(),
            manifests: Vec::new(),
            srs: None,
            share_models: false,
            allow_insecure_srs: false,
            play_money: 0,
            rules: Rules::default(),
            limits: Limits::default(),
            queue: QueueConfig::default(),
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            answer_seconds: 5,
            prove_seconds: 300,
            reveal_seconds: 30,
            heartbeat_seconds: 10,
            probation_jobs: 3,
            max_deliveries: 5,
            max_stake: 1_000,
            ejection_seconds: 3_600,
            candidates: 3,
            max_live_jobs: 100_000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 16 << 20, concurrent: 1_024, orders_per_second: 200, clock_seconds: 60 }
    }
}

/// Why a file says nothing usable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no TOML, or has an unknown key or a value of the wrong kind.
    #[error("{path} is no configuration")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// What and where.
        source: Box<toml::de::Error>,
    },
    /// A value that cannot work.
    #[error("{key} is {value}: it must be {wanted}")]
    Value {
        /// The key, with its table.
        key: &'static str,
        /// What it is.
        value: u64,
        /// What it must be.
        wanted: &'static str,
    },
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or says something that cannot be.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        config.check()?;
        Ok(config)
    }

    /// Whether every value can work.
    ///
    /// # Errors
    /// [`ConfigError::Value`], of the first that cannot.
    pub fn check(&self) -> Result<(), ConfigError> {
        let Rules { answer_seconds, prove_seconds, heartbeat_seconds, max_stake, .. } = self.rules;
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let day = 1..=86_400;
        let month = 1..=31 * 86_400;
        let all = 1..=u64::MAX;
        let values = [
            ("rules.answer_seconds", answer_seconds, &day, "between 1 and 86400"),
            ("rules.prove_seconds", prove_seconds, &month, "between 1 and 2678400"),
            ("rules.heartbeat_seconds", heartbeat_seconds, &day, "between 1 and 86400"),
            ("rules.max_stake", max_stake, &all, "at least 1"),
            ("rules.max_deliveries", self.rules.max_deliveries.into(), &all, "at least 1"),
            ("rules.candidates", count(self.rules.candidates), &all, "at least 1"),
            ("rules.max_live_jobs", count(self.rules.max_live_jobs), &all, "at least 1"),
            (
                "limits.body_bytes",
                count(self.limits.body_bytes),
                &(1_024..=1 << 30),
                "between 1024 and 1073741824",
            ),
            ("limits.concurrent", count(self.limits.concurrent), &all, "at least 1"),
            ("limits.orders_per_second", self.limits.orders_per_second.into(), &all, "at least 1"),
            ("limits.clock_seconds", self.limits.clock_seconds, &(1..=3_600), "between 1 and 3600"),
        ];
        let wrong = values.into_iter().find(|(_, value, range, _)| !range.contains(value));
        match wrong {
            Some((key, value, _, wanted)) => Err(ConfigError::Value { key, value, wanted }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::read(file.path()).map_err(|error| match error {
            ConfigError::Parse { source, .. } => source.to_string(),
            other => other.to_string(),
        })
    }

    #[test]
    fn an_empty_file_is_the_default_and_errors_name_the_key() {
        assert_eq!(read(""), Ok(Config::default()));
        let short = read("listen = \"0.0.0.0:1\"\n[rules]\nanswer_seconds = 2\n").unwrap();
        assert_eq!((short.listen.as_str(), short.rules.answer_seconds), ("0.0.0.0:1", 2));
        for (text, named) in [
            ("[rules]\nanswer_second = 2\n", "answer_second"),
            ("[limits]\nbody_bytes = \"much\"\n", "body_bytes"),
            ("[rules]\nprove_seconds = 0\n", "rules.prove_seconds is 0"),
            ("play_money = -1\n", "play_money"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(named), "{refused}");
        }
    }
}
