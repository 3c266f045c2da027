//! What a process costs, as the kernel counts it.

use super::BenchError;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use procfs::process::Process;
use std::time::Duration;

/// Processor time and memory of one process, of all its threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// In user and kernel mode since it began; of another process in hundredths of a second.
    pub cpu: Duration,
    /// Octets of memory it has now.
    pub resident: u64,
    /// The most it had.
    pub peak: u64,
}

/// Of another process, or of this one without an id.
///
/// # Errors
/// [`BenchError::Process`] when it is no more.
pub fn usage(id: Option<u32>) -> Result<Usage, BenchError> {
    let process = match id.and_then(|id| i32::try_from(id).ok()) {
        Some(id) => Process::new(id)?,
        None => Process::myself()?,
    };
    let stat = process.stat()?;
    let status = process.status()?;
    let ticks = stat.utime + stat.stime;
    let kilobytes = |n: Option<u64>| n.unwrap_or_default() * 1024;
    Ok(Usage {
        cpu: match id {
            Some(_) => Duration::from_millis(ticks * 1000 / procfs::ticks_per_second().max(1)),
            None => own_cpu()?,
        },
        resident: kilobytes(status.vmrss),
        peak: kilobytes(status.vmhwm),
    })
}

/// To the microsecond (getrusage(2)).
fn own_cpu() -> Result<Duration, BenchError> {
    let used = getrusage(UsageWho::RUSAGE_SELF).map_err(std::io::Error::from)?;
    let micros = [used.user_time(), used.system_time()].map(|time| time.num_microseconds());
    Ok(Duration::from_micros(micros.iter().sum::<i64>().unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_no_process_has_none() {
        let own = usage(None).unwrap();
        assert!(own.resident > 100_000 && own.peak >= own.resident, "{own:?}");
        // The most only grows.
        assert!(usage(Some(std::process::id())).unwrap().peak >= own.peak);
        assert!(usage(Some(u32::MAX / 2)).is_err());
    }
}
