//! Messages of clients, and frames of servers as clients read them: what is read can be written
//! and reads back the same.
#![no_main]

use greenroom_protocol::{
    frame::{ServerFrame, decode},
    limit::MESSAGE_BYTES_MAX,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    for frame in decode(message).unwrap_or_default() {
        let text = frame.encode();
        if text.len() <= MESSAGE_BYTES_MAX {
            let again = decode(text.as_bytes()).expect("what we wrote");
            let again: Vec<_> = again.iter().map(|frame| frame.encode()).collect();
            assert_eq!(again, [text]);
        }
    }
    if let Ok(frame) = str::from_utf8(message)
        .map_err(drop)
        .and_then(|text| ServerFrame::decode(text).map_err(drop))
    {
        let text = frame.encode();
        let again = ServerFrame::decode(&text).expect("what we wrote").encode();
        assert_eq!(again, text);
    }
});
