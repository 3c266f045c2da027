//! The clear octets: frames of one item each. Pure: octets in, items out.
//!
//! Invariants: a frame's length and what it unpacks to are bounded before memory is
//! taken; what is not one whole item is an error or a wish for more, never a panic.

use super::CourierError;
use crate::packed::{self, UnpackError};
use crate::v1::CourierItem;
use crate::v1::courier_item::Item;
use prost::Message as _;

/// Largest encoded item: a report and its envelope.
pub const MAX_ITEM_BYTES: usize = crate::MAX_REPORT_BYTES + (64 << 10);

/// Largest frame: what zstd may make of an item that cannot be compressed.
const MAX_FRAME_BYTES: usize = MAX_ITEM_BYTES + (64 << 10);

/// The length before each frame.
const HEAD: usize = 4;

/// A frame with this item in it.
///
/// # Errors
/// [`CourierError::Format`] when the item is too large.
pub fn encode(item: Item) -> Result<Vec<u8>, CourierError> {
    let clear = CourierItem { item: Some(item) }.encode_to_vec();
    if clear.len() > MAX_ITEM_BYTES {
        return Err(CourierError::Format("an item is too large"));
    }
    let packed = packed::pack(&clear)?;
    let length = u32::try_from(packed.len()).map_err(|_| CourierError::Format("an item is too large"))?;
    let mut frame = Vec::with_capacity(HEAD + packed.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&packed);
    Ok(frame)
}

/// The first frame in these octets and how many of them it takes; `None` when more are needed.
///
/// # Errors
/// [`CourierError::Format`] for what no more octets can mend.
pub fn decode(octets: &[u8]) -> Result<Option<(Item, usize)>, CourierError> {
    let Some((head, rest)) = octets.split_first_chunk::<HEAD>() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES {
        return Err(CourierError::Format("a frame is too large"));
    }
    let Some(packed) = rest.get(..length) else {
        return Ok(None);
    };
    let clear = unpack(packed)?;
    let item =
        CourierItem::decode(clear.as_slice()).map_err(|_| CourierError::Format("no item in a frame"))?;
    let item = item.item.ok_or(CourierError::Format("no item in a frame"))?;
    Ok(Some((item, HEAD + length)))
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, CourierError> {
    packed::unpack(packed, MAX_ITEM_BYTES).map_err(|error| {
        CourierError::Format(match error {
            UnpackError::Damaged => "a frame cannot be unpacked",
            UnpackError::TooLarge => "an item is too large",
            UnpackError::Trailing => "a frame holds more than its item",
        })
    })
}
