//! The line between agent and collector: messages, digest, TLS for both ends.
//!
//! Invariants: `marque.v1` changes only by addition; identity comes from the
//! client certificate; no message has a field that could carry a credential of
//! an element, two carry what one is called. The one secret on the wire opens one enrolment, once.

/// Generated from `marque/v1/*.proto`; `tests/generated.rs` holds the two equal.
#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]
pub mod v1 {
    include!("generated/marque.v1.rs");
}

pub mod digest;
pub mod packed;
pub mod token;
pub mod secret_file;
pub mod plan;
pub mod tls;
pub mod courier;

/// The encoded `FileDescriptorSet` of `marque.v1`, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/marque.v1.bin");

/// The protocol this build speaks; sent in the greeting and only ever raised.
///
/// 1: hello, dense sequences, cumulative acks with verdicts.
/// 2: gaps among the sequences; many small reports in one message; how the
/// spool stands.
/// 3: plans down, and what became of them up.
/// 4: reports of rounds in which nothing was walked; what became of the addresses in the
/// ranges of a plan.
/// 5: ranges of which only those are asked whom neighbours name.
/// 6: large evidence packed; what addresses told of their engines; contexts at one address as
/// places of their own.
pub const CAPABILITY: u32 = 6;

/// The first capability that knows gaps, batches and how the spool stands.
pub const GAP_CAPABILITY: u32 = 2;

/// The first capability that knows plans.
pub const PLAN_CAPABILITY: u32 = 3;

/// The first capability that tells a refreshed report from a walk: to others every report
/// must be of a walk.
pub const REFRESH_CAPABILITY: u32 = 4;

/// The first capability that keeps the windows of a plan.
pub const WINDOW_CAPABILITY: u32 = 4;

/// The first capability that leaves alone whom nobody named in a range that is not swept.
pub const FOLLOW_CAPABILITY: u32 = 5;

/// The first capability that tells the contexts of an address apart: to others they are one place.
pub const CONTEXT_CAPABILITY: u32 = 6;

/// The first capability that knows coverage.
pub const COVERAGE_CAPABILITY: u32 = 4;

/// The first capability that unpacks evidence.
pub const PACK_CAPABILITY: u32 = 6;
/// The first capability that knows what addresses told of their engines.
pub const ENGINES_CAPABILITY: u32 = 6;

/// No sequence goes beyond: far more than any agent reaches, and sums of it still count.
pub const MAX_SEQUENCE: u64 = 1 << 48;

/// Largest encoded `Report` either end accepts, in bytes.
pub const MAX_REPORT_BYTES: usize = 8 << 20;

/// Largest encoded `Evidence` either end accepts, in bytes, unpacked.
pub const MAX_EVIDENCE_BYTES: usize = 64 << 20;

/// Observations, roots and bindings that an `Evidence` may have, all together: small on the
/// wire, each takes some 80 bytes once it is decoded.
pub const MAX_EVIDENCE_ITEMS: usize = 3 << 20;

/// Largest gRPC message either end accepts: a report and its envelope.
pub const MAX_MESSAGE_BYTES: usize = MAX_REPORT_BYTES + 1024;

/// Largest message of the enrolment service either end accepts.
pub const MAX_ENROLMENT_BYTES: usize = 16 << 10;

/// The key, beside a status, under which the collector says in a word why it refuses an agent. Whoever does not know it
/// goes by the code.
pub const REFUSAL_KEY: &str = "marque-refusal";

/// The word for an agent that is kept out until somebody releases it; the code is `UNAVAILABLE`, as for all that passes.
pub const QUARANTINED: &str = "quarantined";

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    #[test]
    fn no_field_could_carry_a_credential() {
        let set = prost_types::FileDescriptorSet::decode(DESCRIPTORS).unwrap();
        let suspicious = [
            "community",
            "password",
            "passphrase",
            "secret",
            "credential",
            "private",
            "token",
            "auth",
        ];
        // A join token is made by the collector, for the collector, and dies with its first
        // use: it opens no element. Named in full, so that no second field slips through.
        // The others name a credential that the agent's own file holds; what a name may be is
        // bounded by `plan::is_name`.
        let exempt = [
            "marque.v1.EnrolRequest.join_token",
            "marque.v1.PlannedTarget.credential_name",
            "marque.v1.PlannedRange.credential_name",
        ];
        let mut seen = 0;
        let mut exempted = Vec::new();
        for file in &set.file {
            for message in &file.message_type {
                for field in &message.field {
                    seen += 1;
                    let name = format!("{}.{}.{}", file.package(), message.name(), field.name());
                    if exempt.contains(&name.as_str()) {
                        exempted.push(name);
                        continue;
                    }
                    assert!(!suspicious.iter().any(|s| field.name().contains(s)), "{name}");
                }
            }
        }
        assert_eq!(exempted, exempt, "each exemption names a field that exists");
        assert!(seen > 60, "the descriptors were read ({seen} fields)");
    }
}
