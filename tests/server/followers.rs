//! All kinds of clients without a window, on one generation.

use super::{
    Server, Site, Socket, User, assert_told, assert_whole, entries, files_below, is_end, soon,
};
use greenroom_protocol::{
    event::Event,
    frame::{Entry, Ev, ServerFrame},
    id::SessionId,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};
use tokio::process::Child;

/// Entries of the stream between two cuts.
const PIECE: usize = 6;

/// Clients that follow one generation from its first entry: the command line that began it, another
/// one that attached, and a WebSocket; with [`Self::end`], a stream and polls.
pub(crate) struct Followers<'a> {
    site: &'a Site,
    server: &'a Server,
    user: &'a User,
    pub(crate) session: SessionId,
    generate: Child,
    attach: Child,
    socket: Socket,
    frames: Vec<ServerFrame>,
}

/// What all of them have in the end.
pub(crate) struct Told {
    pub(crate) log: Vec<Entry>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl<'a> Followers<'a> {
    /// The command line begins a generation into the folder `out`; it is under way.
    pub(crate) async fn begin(
        site: &'a Site,
        server: &'a Server,
        user: &'a User,
        prompt: &str,
    ) -> Self {
        let (generate, session) = site.generate(user, prompt).await;
        let mut socket = Socket::connect(server, user).await;
        socket.attach_soon(session, 1).await;
        // A session that has nothing to do lets the command line go at once.
        let is_input = |event: &Event| matches!(event, Event::InputUser { .. });
        let frames = socket.take_until_event(is_input).await;
        let printed = File::create(site.place(PRINTED)).unwrap();
        let mut attach = site.client(user, &["attach", &session.to_string(), "--json"]);
        let attach = attach.stdout(printed).spawn().unwrap();
        Self { site, server, user, session, generate, attach, socket, frames }
    }

    /// Follows to the end of the run. All were told the same, entry by entry, and have the same
    /// files, byte by byte.
    pub(crate) async fn end(mut self) -> Told {
        let Self { site, server, user, session, .. } = self;
        let ends = |entry: &Entry| is_end(&entry.event);
        let over_socket = self.socket.take_until_event(is_end);
        let streamed = server.stream_until(user, session, PIECE, ends);
        let polled = server.poll_until(user, session, ends);
        let (frames, (streamed, streams), log) = tokio::join!(over_socket, streamed, polled);
        self.frames.extend(frames);
        for child in [&mut self.generate, &mut self.attach] {
            assert!(soon("end of a client", child.wait()).await.unwrap().success());
        }

        assert_whole(&log);
        assert_eq!(streamed, log, "the same entries, byte for byte");
        assert!(streams > 2, "it was cut in the middle");
        for told in [entries(&self.frames, 1), printed(&site.place(PRINTED))] {
            assert_told(&told, &log);
        }
        let files = files_below(&site.place("out"));
        assert!(files.len() >= 3, "{:?}", files.keys());
        assert_eq!(self.socket.files(session, None).await, files);
        assert_eq!(server.files(user, session).await, files);
        assert_eq!(server.archived(user, session).await, files);
        Told { log, files }
    }
}

/// Name of the file that takes what the command line prints.
const PRINTED: &str = "attached.json";

/// What the command line has printed with `--json`.
fn printed(file: &Path) -> Vec<Ev> {
    let text = fs::read_to_string(file).unwrap();
    let of_line = |line: &str| -> Ev {
        let mut value: Value = serde_json::from_str(line).unwrap();
        value["ch"] = 1.into();
        serde_json::from_value(value).unwrap()
    };
    text.lines().map(of_line).collect()
}
