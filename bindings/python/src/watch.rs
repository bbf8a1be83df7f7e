//! Work without the interpreter's lock, watched by a Python function and stopped by Ctrl-C.
//!
//! The work runs on a thread of its own. The calling thread waits for it, tells the steps to the
//! function, and asks every moment whether a signal has come. If one has, or the function raises,
//! the exception is raised at once; the work ends when its next step would begin.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use pyo3::prelude::*;
use zkinfer::{Step, Watch};

use crate::error::internal;

/// How long a signal waits to be seen.
const PATIENCE: Duration = Duration::from_millis(50);

/// What the working thread tells.
enum Told<T> {
    Step(Step),
    Done(thread::Result<T>),
}

/// Ends the work where nobody waits for it any more.
struct Stopped;

/// Does `work` and calls `progress` with the name of each step and the seconds that the whole
/// should take, where that is known.
pub(crate) fn watched<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(Watch<'_>) -> T + Send + 'static,
) -> PyResult<T> {
    let (tell, told) = channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let body = move || {
        let watch = |step| {
            if stopped.load(Ordering::Relaxed) {
                resume_unwind(Box::new(Stopped));
            }
            // A listener who is gone has set `stop`.
            let _ = tell.send(Told::Step(step));
        };
        let done = catch_unwind(AssertUnwindSafe(|| work(&watch)));
        let _ = tell.send(Told::Done(done));
    };
    let worker = thread::Builder::new().name("zkinfer".to_owned()).spawn(body);
    worker.map_err(|error| internal(py, &format!("no thread can be started ({error})")))?;

    let mut receiver = told;
    loop {
        let (next, back) = py.detach(move || (receiver.recv_timeout(PATIENCE), receiver));
        receiver = back;
        let outcome = match next {
            Ok(Told::Step(step)) => tell_step(progress, step),
            Ok(Told::Done(Ok(value))) => return Ok(value),
            Ok(Told::Done(Err(panic))) => return Err(internal(py, &fault(&*panic))),
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(internal(py, "the work ended without a result"));
            }
        };
        if let Err(raised) = outcome.and_then(|()| py.check_signals()) {
            stop.store(true, Ordering::Relaxed);
            return Err(raised);
        }
    }
}

fn tell_step(progress: Option<&Bound<'_, PyAny>>, step: Step) -> PyResult<()> {
    let Some(progress) = progress else { return Ok(()) };
    let (name, seconds) = match step {
        Step::Calibrating { .. } => ("calibrating", None),
        Step::Planning => ("planning", None),
        Step::LoadingSrs => ("loading the SRS", None),
        Step::MakingKeys => ("making the keys", None),
        Step::Proving { stage, expected_seconds } => (stage.name(), Some(expected_seconds)),
        _ => ("working", None),
    };
    progress.call1((name, seconds)).map(|_| ())
}

/// What a panic says.
fn fault(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a fault in zkinfer ({})", text.unwrap_or_else(|| "without a text".to_owned()))
}
