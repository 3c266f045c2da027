//! Made-up serial numbers, addresses and choices that are the same in every run.
//!
//! Places to fill in texts: `{name}` the element, `{site}` its site, `{address}` and `{mac}`
//! its own, `{hexmac}` without colons, `{n}` the count of a part among its likes, `{p}` that
//! of the part it sits in, `{g}` of the one above, `{dN}` N digits, `{xN}` N hexadecimal
//! digits, `{aN}` N letters or digits, `{zN}` N times the letter z. Others stay as they are.

/// A sequence of numbers fixed by a name (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The dice of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        // FNV-1a, 64 bits.
        let fold = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
    }

    /// The dice of this number.
    #[must_use]
    pub fn numbered(number: u64) -> Self {
        Self(number)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(1).max(1);
        usize::try_from(self.roll() % bound).unwrap_or(0)
    }

    /// One of the choices; `None` if there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len()))
    }

    fn text(&mut self, length: usize, alphabet: &str) -> String {
        (0..length)
            .filter_map(|_| alphabet.chars().nth(self.below(alphabet.len())))
            .collect()
    }
}

/// What the places of a text are filled with.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// `{name}`
    pub name: String,
    /// `{site}`
    pub site: String,
    /// `{address}`
    pub address: String,
    /// `{mac}` and `{hexmac}`
    pub mac: [u8; 6],
    /// `{n}`, `{p}`, `{g}`
    pub counts: [u32; 3],
}

impl Places {
    /// The text with its places filled.
    #[must_use]
    pub fn fill(&self, text: &str, dice: &mut Dice) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, opened)) = rest.split_once('{') {
            filled.push_str(before);
            let found = opened
                .split_once('}')
                .and_then(|(key, after)| Some((self.value(key, dice)?, after)));
            if let Some((value, after)) = found {
                filled.push_str(&value);
                rest = after;
            } else {
                filled.push('{');
                rest = opened;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, key: &str, dice: &mut Dice) -> Option<String> {
        const DIGITS: &str = "0123456789";
        const HEX: &str = "0123456789ABCDEF";
        const LETTERS: &str = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789";
        let hex = |between: &str| self.mac.map(|octet| format!("{octet:02x}")).join(between);
        let [n, p, g] = self.counts;
        Some(match key {
            "name" => self.name.clone(),
            "site" => self.site.clone(),
            "address" => self.address.clone(),
            "mac" => hex(":"),
            "hexmac" => hex(""),
            "n" => n.to_string(),
            "p" => p.to_string(),
            "g" => g.to_string(),
            _ => {
                let (letter, length) = key.split_at_checked(1)?;
                let length = length.parse().ok().filter(|length| *length <= 65_000)?;
                match letter {
                    "d" => dice.text(length, DIGITS),
                    "x" => dice.text(length, HEX),
                    "a" => dice.text(length, LETTERS),
                    "z" => "z".repeat(length),
                    _ => return None,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_what_it_knows_and_leaves_the_rest() {
        let places = Places {
            name: "ber-1".into(),
            mac: [0, 0xe0, 0xfc, 1, 2, 3],
            counts: [3, 2, 1],
            ..Places::default()
        };
        let fill = |text: &str| places.fill(text, &mut Dice::new("x"));
        assert_eq!(
            fill("{name} {g}/{p}/{n} {mac} {hexmac}"),
            "ber-1 1/2/3 00:e0:fc:01:02:03 00e0fc010203"
        );
        assert_eq!(fill("{unknown} { {d} {z3}"), "{unknown} { {d} zzz");
        assert_eq!(fill("S{d8}").len(), 9);
    }

    #[test]
    fn same_name_same_numbers() {
        let (mut a, mut b, mut c) = (Dice::new("a"), Dice::new("a"), Dice::new("b"));
        let (x, y, z) = (a.roll(), b.roll(), c.roll());
        assert_eq!(x, y);
        assert_ne!(x, z);
        assert_ne!(x, a.roll());
    }
}
