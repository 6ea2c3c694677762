//! PNG files, packed tighter than a browser in a hurry does.

use flate2::{Compression, Crc, read::ZlibDecoder, write::ZlibEncoder};
use std::io::{Read as _, Write as _};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The same picture. Plain surfaces pack best without the filters of PNG, which are for photographs.
pub(super) fn repack(png: &[u8]) -> Vec<u8> {
    let mut rest = png.strip_prefix(SIGNATURE).expect("a PNG");
    let (mut head, mut packed) = (Vec::new(), Vec::new());
    while let Some((length, more)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
        match &more[..4] {
            b"IHDR" => head = more[4..4 + length].to_vec(),
            b"IDAT" => packed.extend_from_slice(&more[4..4 + length]),
            _ => {}
        }
        rest = &more[4 + length + 4..];
    }
    let width = u32::from_be_bytes(head[..4].try_into().unwrap());
    let pixel = match head[8..10] {
        [8, 2] => 3,
        [8, 6] => 4,
        ref other => panic!("{other:?} is no depth and kind of a screenshot"),
    };
    let mut lines = Vec::new();
    ZlibDecoder::new(&*packed).read_to_end(&mut lines).unwrap();
    let mut tight = ZlibEncoder::new(Vec::new(), Compression::best());
    let row = usize::try_from(width).unwrap() * pixel;
    let mut before = vec![0; row];
    for line in lines.chunks_exact(row + 1) {
        before = unfiltered(line, &before, pixel);
        tight.write_all(&[0]).unwrap();
        tight.write_all(&before).unwrap();
    }
    let mut out = SIGNATURE.to_vec();
    for (name, bytes) in
        [(b"IHDR", head), (b"IDAT", tight.finish().unwrap()), (b"IEND", Vec::new())]
    {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(&bytes);
        out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend(name);
        out.extend(bytes);
        out.extend(crc.sum().to_be_bytes());
    }
    out
}

/// A line's bytes, from what a filter made of them.
fn unfiltered(line: &[u8], before: &[u8], pixel: usize) -> Vec<u8> {
    let (filter, line) = line.split_first().expect("a filter");
    let mut out: Vec<u8> = Vec::with_capacity(line.len());
    for (at, byte) in line.iter().enumerate() {
        let left = at.checked_sub(pixel).map_or(0, |at| out[at]);
        let corner = at.checked_sub(pixel).map_or(0, |at| before[at]);
        let above = before[at];
        let guess = match filter {
            0 => 0,
            1 => left,
            2 => above,
            3 => u8::midpoint(left, above),
            _ => paeth(left, above, corner),
        };
        out.push(byte.wrapping_add(guess));
    }
    out
}

/// The neighbour that is nearest to `left + above - corner`.
fn paeth(left: u8, above: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, above, corner].map(i16::from);
    let distance = |of: i16| (a + b - c - of).abs();
    if distance(a) <= distance(b) && distance(a) <= distance(c) {
        left
    } else if distance(b) <= distance(c) {
        above
    } else {
        corner
    }
}
