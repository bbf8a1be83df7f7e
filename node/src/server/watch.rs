//! Waiting for something to happen to a job.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::oneshot;
use zkinfer_settlement::JobId;

/// Waits for the next event of a job; forgotten when it is dropped.
pub(crate) struct Watch<'a> {
    watchers: &'a Watchers,
    job: JobId,
    told: oneshot::Receiver<()>,
}

impl Watch<'_> {
    /// Until the next event.
    pub(crate) async fn told(&mut self) {
        let _told_or_ended = (&mut self.told).await;
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.told.close();
        self.watchers.tidy(self.job);
    }
}

/// Who waits for which job.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<JobId, Vec<oneshot::Sender<()>>>>);

impl Watchers {
    /// Told at the next event of the job. To be asked for before the job is looked at.
    pub(crate) fn watch(&self, job: JobId) -> Watch<'_> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_job = waiting.entry(job).or_default();
        of_job.retain(|one| !one.is_closed());
        of_job.push(tell);
        drop(waiting);
        Watch { watchers: self, job, told }
    }

    pub(crate) fn notify(&self, job: JobId) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&job);
        for one in waiting.into_iter().flatten() {
            let _gone = one.send(());
        }
    }

    /// Forgets a job that nobody waits for any more.
    fn tidy(&self, job: JobId) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_job) = waiting.get_mut(&job) {
            of_job.retain(|one| !one.is_closed());
            if of_job.is_empty() {
                waiting.remove(&job);
            }
        }
    }
}
