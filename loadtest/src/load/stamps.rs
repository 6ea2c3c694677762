//! Finds the provider's time stamps in whatever a server wraps them in.

/// Digits of a stamp: microseconds since 1970, from 2001 to 2286.
const DIGITS: u32 = 16;

/// Finds `t=<16 digits>;` in a stream of bytes, however it is cut; merged deltas all count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stamps(State);

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Elsewhere,
    /// After a `t`.
    T,
    /// After `t=` and some digits.
    Number { value: u64, digits: u32 },
}

impl Stamps {
    /// Looks at the next bytes; `found` gets every stamp.
    pub fn feed(&mut self, data: &[u8], mut found: impl FnMut(u64)) {
        for byte in data {
            self.0 = match (self.0, byte) {
                (State::T, b'=') => State::Number { value: 0, digits: 0 },
                (State::Number { value, digits }, b'0'..=b'9') if digits < DIGITS => {
                    State::Number { value: value * 10 + u64::from(byte - b'0'), digits: digits + 1 }
                }
                (State::Number { value, digits: DIGITS }, b';') => {
                    found(value);
                    State::Elsewhere
                }
                (_, b't') => State::T,
                _ => State::Elsewhere,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_found_wherever_the_stream_is_cut() {
        let text =
            br#"{"text":"t=1795256062578282;t=17;tt=1795256062578283;t=17952560625782834;"}"#;
        for cut in 0..text.len() {
            let (mut stamps, mut found) = (Stamps::default(), Vec::new());
            stamps.feed(&text[..cut], |stamp| found.push(stamp));
            stamps.feed(&text[cut..], |stamp| found.push(stamp));
            assert_eq!(found, [1_795_256_062_578_282, 1_795_256_062_578_283], "cut at {cut}");
        }
    }
}
