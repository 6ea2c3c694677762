//! Places in a log as clients name them: they read back as they were written, and wherever a
//! reader begins, what it reads follows without a hole and ends at the head.
#![no_main]

use greenroom_actors::fuzzing::Log;
use greenroom_protocol::{
    frame::After,
    id::{Epoch, RunId, Seq, SessionId},
};
use libfuzzer_sys::{arbitrary::Unstructured, fuzz_target};

type Numbers = (u64, u64, Option<u64>, Vec<u8>);

fuzz_target!(|input: &[u8]| {
    // Numbers of a log, and on the next line a place in it.
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or_default();
    let (numbers, place) = input.split_at(end);
    let Ok(place) = str::from_utf8(place).map(str::trim_start) else { return };
    let Ok(numbers) = Unstructured::new(numbers).arbitrary::<Numbers>() else { return };
    let (epoch, segmented, open_from, lens) = numbers;
    ids(place);
    let Ok(after) = serde_json::from_str::<After>(place) else { return };
    let text = serde_json::to_string(&after).expect("JSON");
    assert_eq!(serde_json::from_str::<After>(&text).expect("what we wrote"), after);

    let segmented = Seq(segmented.min(u64::MAX - lens.len() as u64));
    let log = Log::new(Epoch(epoch), segmented, &lens, open_from.map(Seq));
    let (mut at, reset) = log.begin(after);
    assert!(at <= log.head());
    if let (After::Cursor(cursor), false) = (after, reset) {
        assert_eq!((cursor.epoch, cursor.seq), (Epoch(epoch), at));
    }
    while let Some(numbers) = log.read(at) {
        if numbers.is_empty() {
            assert_eq!(at, log.head(), "a reader that stops early");
            break;
        }
        for number in numbers {
            assert_eq!(number, at.next());
            at = number;
        }
    }
    assert!(at <= segmented || at == log.head(), "memory holds what no segment does");
});

fn ids(text: &str) {
    if let Ok(id) = text.parse::<SessionId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(text.parse::<RunId>().is_err());
    }
}
