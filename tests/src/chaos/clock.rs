//! A wall clock that jumps: the real one and an offset in a file, read each time.
//!
//! Only the lab's own agents and collectors are run by it; the programs themselves
//! know no other clock than the system's.

use model::Instant;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names the file, in the environment of an agent or a collector of the lab.
pub const CLOCK: &str = "LAB_CLOCK";

static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Whether this process is to be run by such a clock.
pub fn is_set() -> bool {
    match std::env::var_os(CLOCK) {
        Some(file) => {
            let _first = FILE.set(file.into());
            true
        }
        None => false,
    }
}

/// Lets the clocks that read this file show so many seconds more than the real one.
///
/// # Errors
/// Those of the file.
pub fn jump(file: &Path, seconds: i64) -> std::io::Result<()> {
    // Put in place as a whole.
    let new = file.with_extension("new");
    std::fs::write(&new, seconds.to_string())?;
    std::fs::rename(new, file)
}

/// The clock for an agent.
pub fn for_agent() -> SystemTime {
    let (now, offset) = (SystemTime::now(), offset());
    let by = Duration::from_secs(offset.unsigned_abs());
    let moved = if offset < 0 {
        now.checked_sub(by)
    } else {
        now.checked_add(by)
    };
    moved.unwrap_or(now)
}

/// The clock for a collector.
pub fn for_collector() -> Instant {
    let since = for_agent().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn offset() -> i64 {
    let text = FILE.get().and_then(|file| std::fs::read_to_string(file).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
