//! A range: a prefix and what within it is left alone.
//!
//! Invariants: a range that is walked is never larger than [`MAX_HOST_BITS`]; what is
//! excluded lies within; walking it holds nothing in memory.

use super::MAX_HOST_BITS;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    prefix: IpNet,
    excluded: Vec<IpNet>,
}

/// Why a text makes no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Not a prefix.
    #[error("{0:?} is no prefix such as 192.0.2.0/24 or 2001:db8::/120")]
    NotPrefix(String),
    /// An address within the prefix was written.
    #[error("{0} has bits beyond its length: write {1}")]
    HostBits(String, IpNet),
    /// Too many addresses.
    #[error("{0} is too large: at most a /{1}")]
    TooLarge(IpNet, u8),
    /// IPv4 in IPv6 clothes.
    #[error("{0} holds IPv4 addresses: write it as one of IPv4")]
    Mapped(IpNet),
    /// Nothing that could be asked.
    #[error("{0} is multicast or unspecified")]
    NotUnicast(IpNet),
    /// Neither prefix nor address.
    #[error("excluded {0:?} is neither an address nor a prefix")]
    NotExcluded(String),
    /// A slip, most likely.
    #[error("excluded {0} does not lie in {1}")]
    Outside(IpNet, IpNet),
}

impl Range {
    /// From its texts.
    ///
    /// # Errors
    /// [`RangeError`] with the text that is wrong, bounded.
    pub fn new<'t>(prefix: &str, excluded: impl IntoIterator<Item = &'t str>) -> Result<Self, RangeError> {
        let range = Self::of_any_size(prefix, excluded)?;
        let longest = range.prefix.max_prefix_len();
        if longest - range.prefix.prefix_len() > MAX_HOST_BITS {
            return Err(RangeError::TooLarge(range.prefix, longest - MAX_HOST_BITS));
        }
        Ok(range)
    }

    /// From its texts, and not to be walked.
    ///
    /// # Errors
    /// As of [`Self::new`], whatever its size.
    pub fn of_any_size<'t>(
        prefix: &str,
        excluded: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, RangeError> {
        let short = |text: &str| text.chars().take(80).collect::<String>();
        let net: IpNet = prefix.parse().map_err(|_| RangeError::NotPrefix(short(prefix)))?;
        if net != net.trunc() {
            return Err(RangeError::HostBits(short(prefix), net.trunc()));
        }
        if net.network() != net.network().to_canonical() {
            return Err(RangeError::Mapped(net));
        }
        if net.network().is_multicast() || net.network().is_unspecified() {
            return Err(RangeError::NotUnicast(net));
        }
        let mut all = Vec::new();
        for text in excluded {
            let one = text.parse::<IpNet>().or_else(|_| text.parse().map(single));
            let one = one.map_err(|_| RangeError::NotExcluded(short(text)))?.trunc();
            if !net.contains(&one) {
                return Err(RangeError::Outside(one, net));
            }
            all.push(one);
        }
        Ok(Self {
            prefix: net,
            excluded: all,
        })
    }

    /// The prefix.
    #[must_use]
    pub fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// Prefixes left alone.
    #[must_use]
    pub fn excluded(&self) -> &[IpNet] {
        &self.excluded
    }

    /// How many addresses the prefix has, excluded ones included.
    #[must_use]
    pub fn size(&self) -> u64 {
        1 << (self.prefix.max_prefix_len() - self.prefix.prefix_len()).min(63)
    }

    /// Whether an address may be asked: not excluded, and of IPv4 neither network nor broadcast
    /// address.
    #[must_use]
    pub fn may_ask(&self, address: IpAddr) -> bool {
        let edge = [self.prefix.network(), self.prefix.broadcast()].contains(&address);
        !(edge && self.has_edges()) && self.contains(address)
    }

    fn has_edges(&self) -> bool {
        matches!(self.prefix, IpNet::V4(net) if net.prefix_len() < 31)
    }

    /// Whether an address lies within and is not excluded.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.prefix.contains(&address) && !self.excluded.iter().any(|net| net.contains(&address))
    }

    /// How far into the prefix an address lies, if it does.
    #[must_use]
    pub fn offset(&self, address: IpAddr) -> Option<u64> {
        if !self.prefix.contains(&address) {
            return None;
        }
        match (self.prefix.network(), address) {
            (IpAddr::V4(first), IpAddr::V4(at)) => Some(u64::from(u32::from(at) - u32::from(first))),
            (IpAddr::V6(first), IpAddr::V6(at)) => u64::try_from(u128::from(at) - u128::from(first)).ok(),
            _ => None,
        }
    }

    /// Whether both have an address, excluded or not.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.prefix.contains(&other.prefix) || other.prefix.contains(&self.prefix)
    }

    /// The address so far into the prefix, if it is to be looked at: not excluded, and of IPv4
    /// neither network nor broadcast address.
    #[must_use]
    pub fn nth(&self, offset: u64) -> Option<IpAddr> {
        self.address(offset).filter(|address| self.may_ask(*address))
    }

    /// The address so far into the prefix, whether or not it is to be looked at.
    #[must_use]
    pub fn address(&self, offset: u64) -> Option<IpAddr> {
        if offset >= self.size() {
            return None;
        }
        match self.prefix {
            IpNet::V4(net) => {
                let first = u32::from(net.network());
                Some(Ipv4Addr::from(first.checked_add(u32::try_from(offset).ok()?)?).into())
            }
            IpNet::V6(net) => {
                let first = u128::from(net.network());
                Some(Ipv6Addr::from(first.checked_add(u128::from(offset))?).into())
            }
        }
    }
}

fn single(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_range_and_what_is_none() {
        for (prefix, excluded, expected) in [
            (
                "192.0.2.0/24",
                &["192.0.2.7", "192.0.2.128/25"][..],
                Ok((256, 126)),
            ),
            ("192.0.2.9/32", &[], Ok((1, 1))),
            ("192.0.2.8/31", &[], Ok((2, 2))),
            ("10.0.0.0/16", &[], Ok((65_536, 65_534))),
            ("2001:db8::/112", &["2001:db8::8000/113"], Ok((65_536, 32_768))),
            ("2001:db8::/126", &["2001:db8::"], Ok((4, 3))),
            ("192.0.2.0", &[], Err("is no prefix such as")),
            ("192.0.2.0/33", &[], Err("is no prefix such as")),
            ("router/24", &[], Err("is no prefix such as")),
            (
                "192.0.2.1/24",
                &[],
                Err("192.0.2.1/24 has bits beyond its length: write 192.0.2.0/24"),
            ),
            ("10.0.0.0/15", &[], Err("10.0.0.0/15 is too large: at most a /16")),
            (
                "2001:db8::/111",
                &[],
                Err("2001:db8::/111 is too large: at most a /112"),
            ),
            ("::ffff:192.0.2.0/120", &[], Err("holds IPv4 addresses")),
            ("224.0.0.0/24", &[], Err("multicast")),
            ("192.0.2.0/24", &["host"], Err("excluded \"host\" is neither")),
            (
                "192.0.2.0/24",
                &["192.0.3.0/25"],
                Err("excluded 192.0.3.0/25 does not lie in 192.0.2.0/24"),
            ),
            ("192.0.2.0/24", &["192.0.0.0/16"], Err("does not lie in")),
        ] {
            let range = Range::new(prefix, excluded.iter().copied());
            match (range, expected) {
                (Ok(range), Ok(counts)) => {
                    let asked: Vec<_> = (0..range.size() + 2).filter_map(|n| range.nth(n)).collect();
                    assert_eq!((range.size(), asked.len()), counts, "{prefix}");
                    assert!(asked.iter().all(|address| range.contains(*address)), "{prefix}");
                    assert!(asked.is_sorted(), "{prefix}");
                    for offset in 0..range.size() {
                        let back = range.nth(offset).and_then(|at| range.offset(at));
                        assert!(back.is_none_or(|back| back == offset), "{prefix}");
                    }
                }
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (got, expected) => panic!("{prefix}: {got:?}, expected {expected:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_walked_may_have_any_size() {
        let range = Range::of_any_size("2001:db8::/32", ["2001:db8:7::/48"]).unwrap();
        for (address, may) in [
            ("2001:db8::1", true),
            ("2001:db8::", true),
            ("2001:db8:7::1", false),
            ("2001:db9::1", false),
            ("192.0.2.1", false),
        ] {
            assert_eq!(range.may_ask(address.parse().unwrap()), may, "{address}");
        }
        let wide = Range::of_any_size("10.0.0.0/8", []).unwrap();
        for (address, may) in [("10.0.0.0", false), ("10.7.0.0", true), ("10.255.255.255", false)] {
            assert_eq!(wide.may_ask(address.parse().unwrap()), may, "{address}");
        }
        assert!(Range::of_any_size("::/0", []).is_err() && Range::of_any_size("10.1.0.0/8", []).is_err());
        assert!(wide.overlaps(&Range::new("10.7.0.0/24", []).unwrap()));
    }

    #[test]
    fn overlaps_are_seen_both_ways() {
        let range = |prefix| Range::new(prefix, []).unwrap();
        let (wide, narrow) = (range("10.0.0.0/16"), range("10.0.7.0/24"));
        assert!(wide.overlaps(&narrow) && narrow.overlaps(&wide) && wide.overlaps(&wide));
        assert!(!narrow.overlaps(&range("10.0.8.0/24")));
        assert!(!wide.overlaps(&range("2001:db8::/112")));
    }
}
