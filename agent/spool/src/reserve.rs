//! Room set aside for the moment when there is none: forgetting what was
//! acknowledged needs a few pages before it frees many, and a spool that filled its
//! own disk would otherwise never get out.
//!
//! Invariant: best effort; nothing depends on what is in it.

use crate::named;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Many times what forgetting [`crate::STEP`] payloads takes.
const BYTES: usize = 1 << 20;
const BLOCK: usize = 4096;

/// A file beside the spool.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    whole: AtomicBool,
}

impl Reserve {
    /// Beside this spool; made or made good as far as there is room.
    pub fn beside(spool: &Path) -> Self {
        let reserve = Self {
            path: named(spool, "reserve"),
            whole: AtomicBool::new(false),
        };
        reserve.fill();
        reserve
    }

    /// Makes good what is missing. Written, not only sized, since a hole is no room; and of octets
    /// that no file system makes smaller.
    pub fn fill(&self) {
        if self.whole.load(Ordering::Relaxed) {
            return;
        }
        let has = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        let missing = BYTES.saturating_sub(usize::try_from(has).unwrap_or(BYTES));
        let write = || {
            let mut file = File::options().create(true).append(true).open(&self.path)?;
            let mut block = [0; BLOCK];
            (0..missing.div_ceil(BLOCK)).try_for_each(|_| {
                getrandom::fill(&mut block).map_err(|error| io::Error::other(error.to_string()))?;
                file.write_all(&block)
            })
        };
        self.whole.store(write().is_ok(), Ordering::Relaxed);
    }

    /// Gives the room to whoever writes next.
    pub fn release(&self) {
        let _ = std::fs::remove_file(&self.path);
        self.whole.store(false, Ordering::Relaxed);
    }
}
