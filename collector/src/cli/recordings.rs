//! `identify FILE…`: who made the equipment in recordings, one line of JSON each.

use crate::admin;
use ::identify::recording;
use model::{Attribution, Identification};
use serde_json::{Value, json};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Largest recording read, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// Answers every recording; the exit code is 1 when one could not be read.
pub fn identify(overlay: Option<&Path>, recordings: &[PathBuf]) -> ExitCode {
    let knowledge = match crate::identify::knowledge(overlay) {
        Ok(knowledge) => knowledge,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "marque-collector: {}", admin::chain(&error));
            return ExitCode::FAILURE;
        }
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut all_read = true;
    for path in recordings {
        let shown = path.to_string_lossy();
        let line = match read(path) {
            Ok(read) => answer(
                &shown,
                read.lines_ignored,
                &::identify::identify(&read.evidence, knowledge),
            ),
            Err(error) => {
                all_read = false;
                json!({"recording": shown, "error": error})
            }
        };
        if let Err(error) = writeln!(out, "{line}") {
            return unwritten(&error);
        }
    }
    if let Err(error) = out.flush() {
        return unwritten(&error);
    }
    if all_read {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A reader that went away has seen what it wanted; anything else is a failure.
fn unwritten(error: &std::io::Error) -> ExitCode {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(std::io::stderr(), "marque-collector: cannot write: {error}");
    ExitCode::FAILURE
}

fn read(path: &Path) -> Result<recording::Recording, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > MAX_BYTES) {
        return Err(format!("is larger than {MAX_BYTES} bytes"));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf".as_slice()).unwrap_or(&bytes);
    recording::read_counted(text).map_err(|e| admin::chain(&e))
}

fn answer(recording: &str, lines_ignored: usize, found: &Identification) -> Value {
    let components: Vec<Value> = found
        .components
        .iter()
        .map(|c| {
            json!({
                "index": c.index, "parent": c.parent, "class": c.class, "name": c.name, "description": c.description,
                "model": c.model, "serial": c.serial, "revision": c.revision,
                "maker": who(c.maker.as_ref()), "brand": who(c.brand.as_ref()),
                "confidence": confidence(c.maker.as_ref()),
            })
        })
        .collect();
    json!({
        "recording": recording,
        "maker": who(found.maker.as_ref()),
        "brand": who(found.brand.as_ref()),
        "confidence": confidence(found.maker.as_ref()),
        "claims": found.claims,
        "doubts": found.doubts,
        "unit": found.unit,
        "components": components,
        "knowledge": found.knowledge,
        "lines_ignored": lines_ignored,
    })
}

fn who(attribution: Option<&Attribution>) -> Value {
    attribution.map_or(
        Value::Null,
        |a| json!({"id": a.supplier.id, "name": a.supplier.name}),
    )
}

fn confidence(attribution: Option<&Attribution>) -> f64 {
    attribution.map_or(0.0, |a| a.confidence)
}
