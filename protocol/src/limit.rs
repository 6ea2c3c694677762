//! Every limit of the wire, with its unit and its reason.

use std::time::Duration;

/// Largest message a client may send, in bytes of UTF-8 JSON.
///
/// Room for a prompt of [`PROMPT_BYTES_MAX`] with its JSON escapes. Checked before parsing, so a
/// hostile length costs no allocation; a larger message closes the socket with `4506`.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Deepest nesting of arrays and objects in a client's message; no method needs more than 6.
pub const JSON_DEPTH_MAX: usize = 32;

/// Most frames in one message when a client sends an array of frames.
pub const BATCH_FRAMES_MAX: usize = 64;

/// Largest frame of merged or streamed data that the server sends, in bytes.
///
/// So that an answer or a ping never waits behind a megabyte. Only the echo of a prompt may be
/// larger, up to [`MESSAGE_BYTES_MAX`].
pub const DATA_FRAME_BYTES_MAX: usize = 32 * 1024;

/// Most text in one delta, in bytes: JSON escapes at most six-fold, so that the frame stays below
/// [`DATA_FRAME_BYTES_MAX`].
pub const DELTA_BYTES_MAX: usize = 5 * 1024;

/// Largest prompt, in bytes of UTF-8.
pub const PROMPT_BYTES_MAX: usize = 32 * 1024;

/// Longest title of a session, in bytes of UTF-8.
pub const TITLE_BYTES_MAX: usize = 200;

/// Longest path of a file, in bytes of UTF-8.
pub const PATH_BYTES_MAX: usize = 512;

/// Most items in one page of a list.
pub const PAGE_ITEMS_MAX: u32 = 100;

/// How long a client may take from the upgrade to its `hello`.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// Silence after which the server pings; background tabs throttle a client's own timers.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(25);

/// How long the server waits for any sign of life after its ping; then it closes with `4002`.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an attachment may stay paused without an `ack`; then it is detached.
pub const PAUSED_MAX: Duration = Duration::from_secs(60);

/// How long one write to a socket may take; then the socket is closed with `4003`.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long before a token's expiry the server asks for a new one.
pub const AUTH_NOTICE: Duration = Duration::from_secs(60);

/// How long a command id is remembered: a repeat within it has one effect.
pub const COMMAND_MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Widest coalescing window that an attachment may ask for.
pub const WINDOW_MAX: Duration = Duration::from_millis(500);
