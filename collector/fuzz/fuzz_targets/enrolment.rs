//! What a stranger may say before anyone knows it: a token and a signing request.

#![no_main]

use collector::enrol::Authority;
use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use proto::token::JoinToken;

fuzz_target!(|data: &[u8]| {
    let _ = Authority::check(data);
    let Ok(request) = proto::v1::EnrolRequest::decode(data) else {
        return;
    };
    let _ = Authority::check(&request.signing_request);
    if let Ok(token) = request.join_token.parse::<JoinToken>() {
        let again: JoinToken = token.text().parse().expect("what it is written as");
        assert!(again == token && token.secret_hash().len() == 64);
    }
});
