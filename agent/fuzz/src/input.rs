//! The fuzzer's octets as choices and pieces.
//!
//! Invariant: whatever is left, there is an answer: zeros and nothing at the end.

/// What is left of the input.
#[derive(Debug, Clone, Copy)]
pub struct Input<'d>(&'d [u8]);

impl<'d> Input<'d> {
    pub fn new(data: &'d [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub fn long(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// A piece with its length before it.
    pub fn piece(&mut self) -> &'d [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// The same with a length of two octets.
    pub fn long_piece(&mut self) -> &'d [u8] {
        let length = usize::from(self.word());
        self.take(length)
    }

    pub fn rest(&mut self) -> &'d [u8] {
        std::mem::take(&mut self.0)
    }

    fn take(&mut self, length: usize) -> &'d [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// What the changes make of well-formed octets: four octets each, which say what is done,
/// where, and with what.
pub fn changed(octets: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut octets = octets.to_vec();
    for change in changes.chunks_exact(4) {
        let [what, high, low, octet] = [change[0], change[1], change[2], change[3]];
        let at = usize::from(u16::from_be_bytes([high, low])) % (octets.len() + 1);
        match what % 5 {
            0 if at < octets.len() => octets[at] = octet,
            1 => octets.insert(at, octet),
            2 if at < octets.len() => drop(octets.remove(at)),
            3 => octets.truncate(at),
            4 if at < octets.len() => octets[at] = octets[at].wrapping_add(octet),
            _ => octets.push(octet),
        }
    }
    octets
}
