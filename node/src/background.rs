//! Threads whose work gives way to everything else on the machine.

use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// As many threads as the machine runs at once, each of which runs only while nothing else wants to,
/// where the system can do that. Whatever is run in the pool has its parallel parts there too.
pub(crate) fn pool() -> Result<ThreadPool, ThreadPoolBuildError> {
    let builder = ThreadPoolBuilder::new().thread_name(|index| format!("background-{index}"));
    builder.start_handler(|_| give_way()).build()
}

#[cfg(target_os = "linux")]
fn give_way() {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let set = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
    if let Err(error) = set {
        tracing::warn!(?error, "proofs do not give way to answers");
    }
}

#[cfg(not(target_os = "linux"))]
fn give_way() {
    if let Err(error) = thread_priority::ThreadPriority::Min.set_for_current() {
        tracing::warn!(?error, "proofs do not give way to answers");
    }
}

#[cfg(test)]
mod tests {
    /// Linux says in `/proc` which policy a thread has: 5 is that of whoever gives way to all others.
    #[cfg(target_os = "linux")]
    #[test]
    fn threads_of_the_pool_give_way() {
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            fields.split(' ').nth(38).unwrap().to_owned()
        };
        assert_eq!(super::pool().unwrap().install(policy), "5");
        assert_ne!(policy(), "5");
    }
}
