//! Where a running agent answers `spool export` and `spool receipt`: it holds the
//! spool, which no other process can open meanwhile.
//!
//! A Unix socket beside the spool. Frames of length (4, big endian) and content,
//! whose first octet says what it is: one request, then parts of an export, then
//! how it ended. Invariants: only the agent's own user and root are heard; one at
//! a time, each frame bounded and in time; a visitor that leaves costs nothing.

use super::{CourierError, apply, export};
use crate::keep::Shared;
use crate::uplink::chain;
use proto::courier::MAX_RECEIPT_BYTES;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// For one frame.
const PATIENCE: Duration = Duration::from_secs(30);
/// Parts of an export that wait for the visitor.
const PARTS: usize = 4;
/// No frame is larger: a receipt, or a sealed chunk.
const MAX_FRAME_BYTES: usize = MAX_RECEIPT_BYTES + 1;

const EXPORT: u8 = b'e';
const RECEIPT: u8 = b'r';
const PART: u8 = b'p';
const DONE: u8 = b'd';
const REFUSED: u8 = b'x';

/// Where the desk of a spool is.
#[must_use]
pub fn place(spool: &Path) -> PathBuf {
    spool.with_added_extension("socket")
}

/// An open desk; its socket goes with it.
#[derive(Debug)]
pub struct Desk {
    listener: UnixListener,
    path: PathBuf,
    /// Who may come beside root.
    owner: u32,
    shared: Shared,
    identity: PathBuf,
    renewed: watch::Sender<u64>,
}

impl Desk {
    /// Opens the desk of a spool that this process holds. `renewed` is told after each receipt,
    /// so that a session begins anew with what it changed.
    ///
    /// # Errors
    /// What the system says: a path too long for a socket, or something else is there.
    pub fn open(
        spool: &Path,
        shared: Shared,
        identity: PathBuf,
        renewed: watch::Sender<u64>,
    ) -> io::Result<Self> {
        let path = place(spool);
        // One left by an agent that was killed: nobody else has this spool.
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => std::fs::remove_file(&path)?,
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let owner = std::fs::metadata(&path)?.uid();
        Ok(Self {
            listener,
            path,
            owner,
            shared,
            identity,
            renewed,
        })
    }

    /// Serves one visitor after another until cancelled.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let served = match accepted {
                Ok((stream, _)) => tokio::select! {
                    () = stop.cancelled() => return,
                    served = self.serve(stream) => served,
                },
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::warn!(%error, "visit to the spool ended early");
                // Out of descriptors, perhaps: not at once again.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        let visitor = stream.peer_cred()?.uid();
        if visitor != self.owner && visitor != 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let request = read(&mut stream).await?;
        let outcome = match request.split_first() {
            Some((&EXPORT, max_bytes)) => {
                let max_bytes = max_bytes.try_into().map(u64::from_be_bytes).unwrap_or(0);
                self.export(&mut stream, (max_bytes > 0).then_some(max_bytes))
                    .await?
            }
            Some((&RECEIPT, receipt)) => self.receipt(receipt.to_vec()).await?,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        match outcome {
            Ok(words) => write(&mut stream, DONE, words.as_bytes()).await,
            Err(error) => {
                let words = chain(&error);
                tracing::warn!(error = words, "visit to the spool refused");
                write(&mut stream, REFUSED, words.as_bytes()).await
            }
        }
    }

    async fn export(
        &self,
        stream: &mut UnixStream,
        max_bytes: Option<u64>,
    ) -> io::Result<Result<String, CourierError>> {
        let (parts, mut ready) = mpsc::channel(PARTS);
        let (spool, identity) = (Arc::clone(&self.shared.spool), self.identity.clone());
        // Ends by itself when the visitor has left: nobody takes its parts then.
        let now = (self.shared.clock)();
        let work =
            tokio::task::spawn_blocking(move || export(&spool, &identity, max_bytes, now, Parts(parts)));
        while let Some(part) = ready.recv().await {
            write(stream, PART, &part).await?;
        }
        let done = work.await.map_err(io::Error::other)?;
        if let Ok(done) = &done {
            tracing::info!(
                report.first = done.first,
                report.last = done.last,
                "spool exported"
            );
        }
        Ok(done.map(|done| done.to_string()))
    }

    async fn receipt(&self, receipt: Vec<u8>) -> io::Result<Result<String, CourierError>> {
        let (shared, identity) = (self.shared.clone(), self.identity.clone());
        let now = (shared.clock)();
        let work = move || apply(&receipt, &shared.spool, &identity, Some(&shared.same), now);
        let done = tokio::task::spawn_blocking(work)
            .await
            .map_err(io::Error::other)?;
        if let Ok(done) = &done {
            tracing::info!(
                report.sequence = done.sequence,
                reports.forgotten = done.forgotten,
                certificate.not_after = done.renewed.unwrap_or_default(),
                "receipt taken in"
            );
            self.renewed.send_modify(|count| *count += 1);
        }
        Ok(done.map(|done| done.to_string()))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // The next agent removes what is left.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Hands an export on part by part.
struct Parts(mpsc::Sender<Vec<u8>>);

impl Write for Parts {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.0.blocking_send(octets.to_vec()).map_err(gone)?;
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn read(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let frame = async {
        let length = bounded(stream.read_u32().await?)?;
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).await?;
        Ok(frame)
    };
    timeout(PATIENCE, frame).await?
}

async fn write(stream: &mut UnixStream, kind: u8, content: &[u8]) -> io::Result<()> {
    let frame = frame(kind, content)?;
    timeout(PATIENCE, stream.write_all(&frame)).await?
}

fn frame(kind: u8, content: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::try_from(content.len() + 1).map_err(|_| io::ErrorKind::InvalidInput)?;
    bounded(length)?;
    let mut frame = length.to_be_bytes().to_vec();
    frame.push(kind);
    frame.extend_from_slice(content);
    Ok(frame)
}

fn bounded(length: u32) -> io::Result<usize> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    match length <= MAX_FRAME_BYTES {
        true => Ok(length),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too large")),
    }
}

/// Asks a running agent for an export, written to `out`; returns what it says of it.
///
/// # Errors
/// What the system or the agent says.
pub fn ask_export(spool: &Path, max_bytes: Option<u64>, out: &mut impl Write) -> io::Result<String> {
    ask(spool, EXPORT, &max_bytes.unwrap_or(0).to_be_bytes(), out)
}

/// Brings a running agent a receipt; returns what it says.
///
/// # Errors
/// What the system or the agent says.
pub fn ask_receipt(spool: &Path, receipt: &[u8]) -> io::Result<String> {
    ask(spool, RECEIPT, receipt, &mut io::sink())
}

fn ask(spool: &Path, kind: u8, content: &[u8], out: &mut impl Write) -> io::Result<String> {
    let mut stream = std::os::unix::net::UnixStream::connect(place(spool))?;
    // Another visitor may be served first.
    stream.set_read_timeout(Some(PATIENCE * 10))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&frame(kind, content)?)?;
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut frame = vec![0; bounded(u32::from_be_bytes(length))?];
        stream.read_exact(&mut frame)?;
        match frame.split_first() {
            Some((&PART, part)) => out.write_all(part)?,
            Some((&DONE, words)) => return Ok(String::from_utf8_lossy(words).into_owned()),
            Some((&REFUSED, words)) => return Err(io::Error::other(String::from_utf8_lossy(words))),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
