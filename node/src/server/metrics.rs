//! What a Prometheus server reads.

use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use crate::market::Event;

/// Counters, gauges and histograms of a coordinator.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    events: Family<Vec<(String, String)>, Counter>,
    requests: Family<Vec<(String, String)>, Counter>,
    answer_seconds: Histogram,
    proof_seconds: Histogram,
    gauges: Family<Vec<(String, String)>, Gauge>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("zkinfer");
        let (events, requests, gauges) = (Family::default(), Family::default(), Family::default());
        let answer_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        let proof_seconds = Histogram::new(exponential_buckets(0.01, 2.0, 18));
        registry.register("job_events", "What has happened to jobs", events.clone());
        registry.register("requests", "Requests by status", requests.clone());
        registry.register("now", "How many there are", gauges.clone());
        registry.register("answer_seconds", "From offer to answer", answer_seconds.clone());
        registry.register("proof_seconds", "From answer to proof", proof_seconds.clone());
        Self { registry, events, requests, answer_seconds, proof_seconds, gauges }
    }

    pub(crate) fn observe(&self, event: &Event) {
        self.events.get_or_create(&label("event", event.name())).inc();
        let seconds = |ms: u64| f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1_000.0;
        match event {
            Event::Answered { after_ms: Some(ms), .. } => self.answer_seconds.observe(seconds(*ms)),
            Event::Settled { after_ms: Some(ms), .. } => self.proof_seconds.observe(seconds(*ms)),
            _ => {}
        }
    }

    pub(crate) fn request(&self, status: u16) {
        self.requests.get_or_create(&label("status", &status.to_string())).inc();
    }

    /// The text, with these numbers of things.
    pub(crate) fn text(&self, counts: &[(&str, u64)]) -> String {
        for (name, count) in counts {
            let gauge = self.gauges.get_or_create(&label("of", name));
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        // A string can always be written to.
        let _written = encode(&mut text, &self.registry);
        text
    }
}

fn label(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}
