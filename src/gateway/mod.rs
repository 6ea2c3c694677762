//! The public and the internal port: accepts connections, serves REST, upgrades WebSockets.
//!
//! A connection is one task from accept to end. While it speaks HTTP, that task holds hyper's
//! state in a box of its own; once upgraded, the box is gone and only the socket is left, so that
//! an idle socket costs little.
//!
//! What comes in passes, in this order: the caps on connections ([`places`]), the guard on bytes
//! that proxies could read differently ([`guard`]), hyper with its timeouts and header limits, the
//! checks of [`site`], and then a route or the upgrade.
//!
//! | what comes in | limit, by default | at the limit | test |
//! |---|---|---|---|
//! | connections, in all and of one source | 20,000; 1,000 | closed at once | `all_sources_get_no_more_connections_than_there_are`, `a_source_gets_so_many_connections_and_gets_them_back` |
//! | requests, upgrades, sign-ins of a source | [`LimitsConfig`](crate::rest::LimitsConfig) | 429 with `Retry-After` | `all_requests_and_sockets_are_counted`, `whoever_guesses_passwords_is_told_to_wait` |
//! | who a source is, behind a proxy | `trusted_proxies`, none | the peer counts | `ten_thousand_invented_forwarders_are_one_source` |
//! | time for a head, and between requests | 5 s | closed | `a_head_that_does_not_come_is_not_waited_for` |
//! | head: headers, bytes | 64; 16 KiB | 431, closed | `a_head_that_is_too_large_is_refused` |
//! | path and query | 4 KiB | 414 | `an_address_that_is_too_long_is_refused` |
//! | what can be read in two ways | none | 400, closed | `a_request_that_proxies_could_read_differently_is_refused_and_ends_the_connection` |
//! | body: bytes, time | 16 KiB; 5 s | 413; 408, closed | `a_body_above_the_limit_is_refused_before_it_is_read_whole`, `a_body_that_does_not_come_is_not_waited_for` |
//! | body: media type, fields, nesting | JSON, those asked for, 128 levels | 415; 400 | `a_malformed_body_is_refused_without_repeating_it` |
//! | time for a client to take some of an answer | 8 s | closed | `an_answer_that_is_not_taken_ends_the_connection_and_one_taken_slowly_does_not` |
//! | time of one request, of one connection | 30 s; 300 s | 504; closed after the answer | `a_connection_serves_many_requests_up_to_its_greatest_age` |
//! | a token in an address | `/ws/generate` alone, [`GenerateConfig`] | `token_in_url` | `the_dialect_takes_one_credential_and_a_token_only_where_that_is_allowed` |
//! | pages | `allowed_origins`, none | 403 | `a_page_opens_a_socket_only_if_it_is_listed`, `a_page_gets_permission_only_if_it_is_listed` |
//! | handshakes under way | 512 | 503 | `handshakes_beyond_what_is_allowed_at_once_are_put_off` |
//! | time to say hello | 5 s | 4504 | `hello_in_time` |
//! | sockets of a user, sessions of a socket | 32; 128 | 4507; `too_many_attachments` | `a_user_has_so_many_sockets_and_gets_them_back`, `a_socket_has_so_many_attachments` |
//! | message: bytes, read at all | 64 KiB; 80 KiB | 4506 | `a_message_far_too_big_fails_at_its_head_however_it_is_cut` |
//! | message: frames, time | 64; 5 s | 4500 | `a_message_in_too_many_frames_ends_the_socket_after_what_came_before`, `a_message_that_is_left_half_sent_ends_the_socket_whatever_signs_of_life_come` |
//! | message: nesting, frames of ours in it | 32; 64 | 4500 | `codec_never_panics_on_bytes` and its neighbours |
//! | messages | 600 a minute, 200 at once | `rate_limited`, then 4004 | `limits_repeated_breach_closes` |
//! | pings and pongs | 300 a minute | 4500 | `a_flood_of_pings_ends_the_socket_and_a_steady_beat_does_not`, `a_flood_of_pongs_that_nobody_asked_for_ends_the_socket` |
//! | what is not taken from a socket | 256 KiB; 30 s | closed, 4003 | `feeding_more_than_the_buffer_takes_is_an_error_and_not_more_memory`, `flow_stalled_write_closes` |
//! | after our close frame | 16 messages, 256 KiB, 2 s | closed | `a_peer_that_floods_is_not_read_for_as_long_as_a_close_may_take` |
//! | silence on a socket | 25 s, then 10 s after a ping | 4002 | `heartbeat_dead_peer_closes` |

mod config;
mod connection;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod places;
mod progress;
mod qbit;
mod server;
mod site;
mod socket;
mod upgrade;

#[cfg(test)]
mod tests;

pub use config::{GatewayConfig, GatewayConfigError, GenerateConfig, WebSocketLimits};
pub(crate) use qbit::QbitSocket;
pub use server::{Serve, Server, Upgraded, listen};
pub use socket::WsSocket;
pub use upgrade::Speech;
