//! Recordings of real providers, for tests; and the ways in which a stream may be framed and cut.

use std::{fs, path::PathBuf};

/// How the events of a stream may be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    end: &'static str,
    has_comments: bool,
}

/// Every framing: each end of line, with and without comments.
pub(super) fn framings() -> impl Iterator<Item = Framing> {
    ["\n", "\r\n", "\r"]
        .into_iter()
        .flat_map(|end| [false, true].map(|has_comments| Framing { end, has_comments }))
}

impl Framing {
    /// The chunks as events, each with its framing, and the end mark.
    pub(super) fn events(self, chunks: &[String]) -> Vec<Vec<u8>> {
        let end = self.end;
        let comment =
            if self.has_comments { format!(": ping{end}{end}:{end}") } else { String::new() };
        let data = chunks.iter().map(String::as_str).chain(["[DONE]"]);
        data.map(|data| format!("{comment}data: {data}{end}{end}").into_bytes()).collect()
    }
}

/// The recorded answers: name of the file, one chunk a line.
pub(super) fn chunks() -> Vec<(String, Vec<String>)> {
    let mut files: Vec<_> = files("chunks.txt")
        .into_iter()
        .map(|(name, text)| (name, text.lines().map(str::to_owned).collect()))
        .collect();
    files.sort();
    files
}

/// The bodies of a recorded exchange, in order.
pub(super) fn bodies(cassette: &str) -> Vec<String> {
    let Some((_, yaml)) = files("cassette.yaml").into_iter().find(|(name, _)| name == cassette)
    else {
        return Vec::new();
    };
    let mut bodies: Vec<String> = Vec::new();
    let mut in_body = false;
    for line in yaml.lines() {
        if line == "      string: |+" {
            in_body = true;
            bodies.push(String::new());
        } else if in_body && (line.is_empty() || line.starts_with("        ")) {
            let body = bodies.last_mut().unwrap();
            body.push_str(line.get(8..).unwrap_or_default());
            body.push('\n');
        } else {
            in_body = false;
        }
    }
    bodies
}

/// The recordings whose name ends so; none, loudly, where the folder is absent.
fn files(end: &str) -> Vec<(String, String)> {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let root = std::env::var_os("GREENROOM_TEST_DATA").map_or_else(default, PathBuf::from);
    let Ok(folder) = fs::read_dir(root.join("sse")) else {
        println!("skipped: no recordings in {}; set GREENROOM_TEST_DATA", root.display());
        return Vec::new();
    };
    folder
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), file.path()))
        .filter(|(name, _)| name.ends_with(end))
        .map(|(name, path)| (name, fs::read_to_string(path).unwrap()))
        .collect()
}
