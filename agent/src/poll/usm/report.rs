//! What a report of an SNMPv3 engine says was wrong (RFC 3414, 3.2; RFC 3412, 7.2; RFC 3413, 3.2).

use crate::plan::oid;
use crate::poll::socket::ExchangeError;
use crate::poll::wire::Response;

/// RFC 3416, 3: the tag of a Report.
pub const REPORT: u8 = 0xa8;

/// The counters that reports carry, without their instance.
const COUNTERS: [(&str, ExchangeError); 8] = [
    // usmStats of SNMP-USER-BASED-SM-MIB, in its order.
    ("1.3.6.1.6.3.15.1.1.1", ExchangeError::UnsupportedLevel),
    ("1.3.6.1.6.3.15.1.1.2", ExchangeError::NotInTimeWindow),
    ("1.3.6.1.6.3.15.1.1.3", ExchangeError::UnknownUser),
    ("1.3.6.1.6.3.15.1.1.4", ExchangeError::UnknownEngine),
    ("1.3.6.1.6.3.15.1.1.5", ExchangeError::WrongDigest),
    ("1.3.6.1.6.3.15.1.1.6", ExchangeError::WrongPrivacy),
    // snmpUnavailableContexts and snmpUnknownContexts of SNMP-TARGET-MIB.
    ("1.3.6.1.6.3.12.1.4", ExchangeError::UnknownContext),
    ("1.3.6.1.6.3.12.1.5", ExchangeError::UnknownContext),
];

/// Why the engine refused; anything unheard of is just a refusal.
#[must_use]
pub fn refusal(report: &Response) -> ExchangeError {
    let Some(varbind) = report.varbinds.first() else {
        return ExchangeError::Refused;
    };
    let named = |text: &str| oid::parse(text).is_ok_and(|counter| varbind.oid.starts_with(&counter));
    COUNTERS
        .iter()
        .find(|(counter, _)| named(counter))
        .map_or(ExchangeError::Refused, |(_, refusal)| *refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::bytes::Bytes;
    use proto::v1::Varbind;

    #[test]
    fn every_counter_is_told_apart() {
        let report = |name: &str| Response {
            request_id: 0,
            error_status: 0,
            error_index: 0,
            varbinds: vec![Varbind {
                oid: oid::parse(name).unwrap(),
                tag: 0x41,
                value: Bytes::from_static(&[1]),
            }],
        };
        use ExchangeError as Why;
        for (counter, expected) in [
            ("1.3.6.1.6.3.15.1.1.1.0", Why::UnsupportedLevel),
            ("1.3.6.1.6.3.15.1.1.2.0", Why::NotInTimeWindow),
            ("1.3.6.1.6.3.15.1.1.3.0", Why::UnknownUser),
            ("1.3.6.1.6.3.15.1.1.4.0", Why::UnknownEngine),
            ("1.3.6.1.6.3.15.1.1.5.0", Why::WrongDigest),
            ("1.3.6.1.6.3.15.1.1.6.0", Why::WrongPrivacy),
            ("1.3.6.1.6.3.12.1.4.0", Why::UnknownContext),
            ("1.3.6.1.6.3.12.1.5.0", Why::UnknownContext),
        ] {
            assert_eq!(refusal(&report(counter)), expected, "{counter}");
        }
        for other in ["1.3.6.1.6.3.15.1.1.7.0", "1.3.6.1.6.3.11.2.1.1.0", "1.3.6"] {
            assert_eq!(refusal(&report(other)), ExchangeError::Refused);
        }
    }
}
