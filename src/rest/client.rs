//! Who a request comes from, for limits.

use http::HeaderMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Who sent a request; an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address, as far as it can be trusted.
    pub ip: IpAddr,
}

/// What limits count by: an IPv4 address, or the /64 that one subscriber gets of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The address.
    V4([u8; 4]),
    /// The first half of the address.
    V6([u8; 8]),
}

impl Source {
    /// What all nodes call it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::V4(ip) => IpAddr::from(ip).to_string(),
            Self::V6([a, b, c, d, e, f, g, h]) => {
                IpAddr::from([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0]).to_string()
            }
        }
    }

    /// The source of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

impl Client {
    /// What limits count by.
    #[must_use]
    pub fn source(self) -> Source {
        Source::of(self.ip)
    }
}

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<Network>);

/// A text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no network; write an address or a CIDR such as 10.0.0.0/8")]
pub struct ProxyError {
    /// The text.
    pub text: String,
}

/// Addresses with a common beginning. All as IPv6, so that there is one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    first: u128,
    bits: u8,
}

impl Proxies {
    /// Reads addresses and CIDRs.
    ///
    /// # Errors
    /// [`ProxyError`]: the first text that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, ProxyError> {
        let read =
            |text: &String| Network::parse(text).ok_or_else(|| ProxyError { text: text.clone() });
        texts.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether an address is one of these proxies.
    #[must_use]
    pub fn contain(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(ip))
    }

    /// Who really sent a request: of the chain of forwarders, the last one that is no proxy of
    /// ours. What stands before it, the sender may have invented.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let mut ip = peer.to_canonical();
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let mut hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        while self.contain(ip) {
            match hops.next().and_then(address) {
                Some(before) => ip = before,
                None => break,
            }
        }
        Client { ip }
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let ip: IpAddr = address.parse().ok()?;
        let wide = if ip.is_ipv4() { 96 } else { 0 };
        let bits = bits.map_or(Some(128), |bits| bits.checked_add(wide).filter(|b| *b <= 128))?;
        Some(Self { first: number(ip), bits })
    }

    fn contains(self, ip: IpAddr) -> bool {
        let differing = (self.first ^ number(ip)).leading_zeros();
        differing >= u32::from(self.bits)
    }
}

fn number(ip: IpAddr) -> u128 {
    let v6: Ipv6Addr = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    v6.to_bits()
}

/// One element of `X-Forwarded-For`, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|peer| peer.ip()));
    ip.map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(proxies: &[&str], peer: &str, forwarded: &[&str]) -> IpAddr {
        let proxies: Vec<_> = proxies.iter().map(|&text| text.to_owned()).collect();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        Proxies::parse(&proxies).unwrap().client(ip(peer), &headers).ip
    }

    #[test]
    fn whoever_is_no_proxy_cannot_forward() {
        assert_eq!(client(&[], "203.0.113.9", &["198.51.100.1"]), ip("203.0.113.9"));
        assert_eq!(client(&["10.0.0.0/8"], "203.0.113.9", &["1.2.3.4"]), ip("203.0.113.9"));
    }

    #[test]
    fn ten_thousand_invented_forwarders_are_one_source() {
        for n in 0..10_000_u32 {
            let invented = std::net::Ipv4Addr::from_bits(n).to_string();
            assert_eq!(client(&["10.0.0.0/8"], "203.0.113.9", &[&invented]), ip("203.0.113.9"));
            let behind_proxy = format!("{invented}, 203.0.113.9");
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[&behind_proxy]), ip("203.0.113.9"));
        }
    }

    #[test]
    fn the_last_forwarder_that_is_no_proxy_counts() {
        let proxies = ["10.0.0.0/8", "2001:db8::1"];
        for (peer, forwarded, expected) in [
            ("10.0.0.1", &["198.51.100.7"][..], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7:4711"], "198.51.100.7"),
            ("2001:db8::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("2001:db8::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["nonsense, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["198.51.100.7, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, peer, forwarded), ip(expected), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn one_subscriber_is_one_source() {
        assert_eq!(Source::of(ip("2001:db8:0:1::1")), Source::of(ip("2001:db8:0:1:ffff::2")));
        assert_ne!(Source::of(ip("2001:db8:0:1::1")), Source::of(ip("2001:db8:0:2::1")));
        assert_eq!(Source::of(ip("::ffff:192.0.2.1")), Source::of(ip("192.0.2.1")));
        assert_ne!(Source::of(ip("192.0.2.1")), Source::of(ip("192.0.2.2")));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "proxy", "1.2.3.4/"] {
            let error = Proxies::parse(&[text.into()]).unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
