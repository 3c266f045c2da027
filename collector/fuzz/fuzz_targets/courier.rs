//! What a courier brings, once it is opened: frames of any bytes; and as files: no export, no receipt.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message as _;
use proto::courier::{ExportReader, Preamble, frame};
use proto::v1::CourierItem;
use proto::v1::courier_item::Item;

fuzz_target!(|data: &[u8]| {
    if let Ok(preamble) = Preamble::read(&mut &*data) {
        assert!(
            ExportReader::begin(data, &preamble, &[]).is_err(),
            "nobody here has the key"
        );
    }
    let mut rest = data;
    while let Ok(Some((item, length))) = frame::decode(rest) {
        again(item);
        rest = &rest[length..];
    }
    // The item by itself, so that the packing need not be guessed.
    if let Ok(CourierItem { item: Some(item) }) = CourierItem::decode(data) {
        again(item);
    }
});

/// What was read is what would be written.
fn again(item: Item) {
    let frame = frame::encode(item.clone()).expect("small");
    let (read, length) = frame::decode(&frame).expect("a frame").expect("whole");
    assert!(read == item && length == frame.len());
}
