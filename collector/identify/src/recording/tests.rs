//! Recordings in both formats, whole and damaged.

use super::*;

fn one(text: &str) -> Value {
    let evidence = read(text.as_bytes()).unwrap();
    assert_eq!(evidence.observations.len(), 1);
    assert_eq!(evidence.observations[0].question.kind, QuestionKind::Recording);
    evidence.observations[0].varbinds[0].value.clone()
}

#[test]
fn snmprec_values() {
    let cases: &[(&str, u8, &[u8])] = &[
        ("1.3.6.1.2.1.1.1.0|4|a|b", 0x04, b"a|b"),
        ("1.3.6.1.2.1.1.1.0|4x|410d0a", 0x04, b"A\r\n"),
        ("1.3.6.1.2.1.1.1.0|4e|a\\x00\\n\\\\", 0x04, b"a\0\n\\"),
        (
            ".1.3.6.1.2.1.1.2.0|6|.1.3.6.1.4.1.2011",
            0x06,
            &[0x2b, 6, 1, 4, 1, 0x8f, 0x5b],
        ),
        (
            "1.3.6.1.2.1.1.3.0|67|4294967295",
            0x43,
            &[0, 0xff, 0xff, 0xff, 0xff],
        ),
        ("1.3.6.1.2.1.1.7.0|2|-129", 0x02, &[0xff, 0x7f]),
        ("1.3.6.1.2.1.1.7.0|2|128", 0x02, &[0, 0x80]),
        ("1.3.6.1.2.1.1.7.0|2|0", 0x02, &[0]),
        ("1.3.6.1.2.1.4.20.1.1.0|64|10.0.0.1", 0x40, &[10, 0, 0, 1]),
        ("1.3.6.1.2.1.4.20.1.1.0|64x|0a000001", 0x40, &[10, 0, 0, 1]),
        ("1.3.6.1.2.1.1.1.0|5|", 0x05, b""),
    ];
    for (line, tag, octets) in cases {
        assert_eq!(
            one(line),
            Value {
                tag: *tag,
                octets: octets.to_vec()
            },
            "{line}"
        );
    }
}

#[test]
fn snmpwalk_values() {
    let cases: &[(&str, u8, &[u8])] = &[
        (
            ".1.3.6.1.2.1.1.1.0 = STRING: \"say \\\"hi\\\"\"",
            0x04,
            b"say \"hi\"",
        ),
        (
            ".1.3.6.1.2.1.1.1.0 = STRING: first\nsecond = line",
            0x04,
            b"first\nsecond = line",
        ),
        (
            ".1.3.6.1.2.1.1.1.0 = STRING: \"first\n\nthird\"",
            0x04,
            b"first\n\nthird",
        ),
        (
            ".1.3.6.1.2.1.2.2.1.6.1 = Hex-STRING: 00 1A \nFF ",
            0x04,
            &[0, 0x1a, 0xff],
        ),
        (
            "iso.3.6.1.2.1.1.2.0 = OID: iso.3.6.1.4.1.9",
            0x06,
            &[0x2b, 6, 1, 4, 1, 9],
        ),
        (".1.3.6.1.2.1.1.3.0 = Timeticks: (256) 0:00:02.56", 0x43, &[1, 0]),
        (".1.3.6.1.2.1.1.7.0 = INTEGER: up(1)", 0x02, &[1]),
        (".1.3.6.1.2.1.1.7.0 = INTEGER: -1", 0x02, &[0xff]),
        (".1.3.6.1.2.1.1.7.0 = Gauge32: 5 octets", 0x42, &[5]),
        (
            ".1.3.6.1.2.1.4.20.1.1.0 = IpAddress: 10.0.0.1",
            0x40,
            &[10, 0, 0, 1],
        ),
        (".1.3.6.1.2.1.1.4.0 = \"\"", 0x04, b""),
        (".1.3.6.1.2.1.1.4.0 = ", 0x04, b""),
        (
            ".1.3.6.1.2.1.1.9.0 = No Such Object available on this agent at this OID",
            0x80,
            b"",
        ),
        (
            ".1.3.6.1.2.1.1.9.0 = Wrong Type (should be OCTET STRING): INTEGER: 7",
            0x02,
            &[7],
        ),
        (".1.3.6.1.2.1.1.9.0 = BITS: 80 00 first(0)", 0x04, &[0x80, 0]),
    ];
    for (line, tag, octets) in cases {
        assert_eq!(
            one(line),
            Value {
                tag: *tag,
                octets: octets.to_vec()
            },
            "{line}"
        );
    }
}

#[test]
fn bad_lines_are_counted_not_guessed() {
    let text =
        "# a title\n1.3.6.1.2.1.1.1.0|4|x\n1.3.6.1.2.1.1.3.0|67:numeric|rate=1\nnonsense\n1..3|4|y\n\n";
    let recording = read_counted(text.as_bytes()).unwrap();
    assert_eq!(recording.evidence.varbinds().count(), 1);
    assert_eq!(recording.lines_ignored, 3);
}

#[test]
fn a_broken_object_identifier_stays_one_that_cannot_be_read() {
    let value = one("1.3.6.1.2.1.1.2.0|6|not an oid");
    assert_eq!(value.tag, Value::OBJECT_IDENTIFIER);
    assert_eq!(value.oid(), None);
}

#[test]
fn refusals_say_what_to_do() {
    assert_eq!(read(b""), Err(RecordingError::NotARecording { lines: 0 }));
    assert_eq!(
        read(b"\x89PNG\r\n\x1a\n\0\0"),
        Err(RecordingError::NotARecording { lines: 3 })
    );
    assert_eq!(
        read(b"SNMPv2-MIB::sysDescr.0 = STRING: x"),
        Err(RecordingError::NamesNotNumeric)
    );
}
