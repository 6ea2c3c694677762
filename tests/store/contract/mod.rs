//! What every store must do. A new store names its harness in one line of `tests/store/mod.rs`.

pub(super) mod documents;
pub(super) mod journal;
pub(super) mod ledger;
pub(super) mod nodes;
pub(super) mod objects;
pub(super) mod races;
pub(super) mod segments;
pub(super) mod sessions;

use greenroom_protocol::id::SessionId;
use uuid::Uuid;

/// One test a rule, for the store of a harness.
macro_rules! contract {
    ($store:ident, $harness:ty) => {
        $crate::store::contract::contract! {
            $store, $harness:
            documents {
                a_document_is_written_only_over_the_version_that_was_read
                a_removed_document_is_gone_and_may_be_made_anew
                documents_of_a_kind_are_read_page_by_page_in_the_order_of_their_keys
                documents_survive_a_reopen
                fifty_writers_of_one_document_lose_no_change
                of_those_who_want_a_unique_name_one_gets_it
            }
            journal {
                a_repeat_of_an_append_is_durable_and_leaves_one_record
                a_sealed_incarnation_keeps_its_records_and_takes_no_more
                an_append_is_fenced_where_it_does_not_fit
                dropped_records_are_gone_and_offsets_go_on
                lanes_do_not_mix
                only_a_sealed_incarnation_can_be_recovered
                opening_seals_what_was_open_before_unless_the_store_is_shared
                records_are_read_back_in_order_from_any_offset
                records_survive_a_reopen_until_they_are_recovered
            }
            ledger {
                a_long_ledger_is_read_in_pages_without_a_gap
                an_abandoned_append_is_there_whole_or_not_at_all
                an_append_goes_through_only_over_the_version_that_was_read
                an_append_with_a_name_that_is_there_changes_nothing
                ledgers_are_due_until_they_say_otherwise
                ledgers_survive_a_reopen
                of_many_proposers_each_version_is_one_s_own
                rows_are_found_by_name_and_in_pages
            }
            nodes {
                a_beat_shows_and_disturbs_nothing
                a_node_is_listed_from_its_opening_until_it_is_recovered
                a_sealed_node_stays_sealed_whatever_it_does
                of_many_who_seal_and_recover_all_find_the_same
                nodes_survive_a_reopen
            }
            objects {
                an_object_is_read_back_as_it_was_put
                an_object_belongs_to_its_project
                objects_survive_a_reopen
            }
            races {
                an_abandoned_append_can_be_repeated
                of_many_claimants_one_gets_the_session
                of_two_writers_one_is_fenced
                once_sealed_nothing_appears_and_nothing_acknowledged_is_missing
                segments_and_records_of_many_sessions_do_not_mix
            }
            segments {
                an_older_snapshot_never_replaces_a_newer_one
                overlapping_segments_leave_no_gap
                segments_and_snapshots_survive_a_reopen
                segments_are_read_in_order_and_by_the_byte
                the_head_is_the_last_entry_of_any_segment
            }
            sessions {
                a_claim_moves_a_session_from_the_owner_that_was_named
                a_session_is_created_once
                a_fork_keeps_what_it_began_from
                an_older_projection_never_replaces_a_newer_one
                pages_show_a_users_sessions_newest_first
                sessions_of_an_owner_are_listed_in_pages
                sessions_survive_a_reopen
            }
        }
    };
    ($store:ident, $harness:ty: $($port:ident { $($rule:ident)+ })+) => {
        mod $store {
            use super::*;
            $(mod $port {
                use super::*;
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    match <$harness as Harness>::of(stringify!($port)) {
                        Some(harness) => $crate::store::contract::$port::$rule(harness).await,
                        None => eprintln!("skipped: this store is not here"),
                    }
                })+
            })+
        }
    };
}
pub(crate) use contract;

/// A session of that number.
pub(super) fn session_id(number: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(number))
}
