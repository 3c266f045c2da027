//! Small disks that can be truly full: tmpfs in a mount namespace of the run's own.
//!
//! Invariant: a run that may not mount ends with a reason, and never without a kind
//! of fault.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Set for the process that has a mount namespace of its own.
const INSIDE: &str = "LAB_CHAOS_INSIDE";
/// Written at once.
const BLOCK: usize = 1 << 20;
/// The last ones.
const LITTLE: usize = 512;

/// Whether this process may mount and nobody else sees it.
#[must_use]
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this program again with the same arguments in a mount namespace of its own.
///
/// # Errors
/// A sentence when this user may have none.
pub fn run_inside() -> Result<ExitCode, String> {
    let program = std::env::current_exe().map_err(|error| format!("cannot find itself: {error}"))?;
    let ways: [&[&str]; 2] = [&["--mount"], &["--map-root-user", "--mount"]];
    let may = |way: &&&[&str]| {
        let tried = Command::new("unshare")
            .args(**way)
            .args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    };
    let way = ways.iter().find(may).ok_or(
        "full disks need a mount namespace (the programs unshare and mount, as root or with user namespaces)",
    )?;
    let mut inside = Command::new("unshare")
        .args(*way)
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .env(crate::house::LEAVE_WITH_PARENT, "1")
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start unshare: {error}"))?;
    // Open as long as this process lives; waiting would close it.
    let _stdin = inside.stdin.take();
    let status = inside.wait().map_err(|error| format!("cannot wait: {error}"))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// A mounted tmpfs.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// Mounts one of so many MiB on a folder, made if absent.
    ///
    /// # Errors
    /// A sentence naming the folder.
    pub fn mount(root: &Path, mebibytes: u32) -> Result<Self, String> {
        std::fs::create_dir_all(root).map_err(|error| format!("{}: {error}", root.display()))?;
        let status = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={mebibytes}m,mode=700"),
                "tmpfs",
            ])
            .arg(root)
            .status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("{}: no tmpfs can be mounted", root.display()));
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes all the room that is left; again and again, as others give some back.
    ///
    /// # Errors
    /// What the system says if it is anything but that the disk is full.
    pub fn fill(&self) -> std::io::Result<()> {
        let mut ballast = File::options().create(true).append(true).open(self.ballast())?;
        for size in [BLOCK, LITTLE] {
            loop {
                match ballast.write_all(&vec![0; size]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Gives it back.
    ///
    /// # Errors
    /// What the system says.
    pub fn empty(&self) -> std::io::Result<()> {
        std::fs::remove_file(self.ballast())
    }

    fn ballast(&self) -> PathBuf {
        self.root.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It goes with the namespace at the latest.
        let _ = Command::new("umount").arg("--lazy").arg(&self.root).status();
    }
}
