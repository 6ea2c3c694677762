//! All statements of the store. Nothing else is sent to the tables, so what is forbidden is looked
//! for here: `SELECT *`, `ALLOW FILTERING`, lists, and conditions of which two servers think apart.

use super::connect::Profiles;
use scylla::{
    client::session::Session, errors::PrepareError, statement::prepared::PreparedStatement,
};

/// What a statement does, which decides its consistency, its time and who may repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Reads what a quorum has.
    Read,
    /// Reads by Paxos, which settles what is under way in the partition.
    Serial,
    /// Writes without a condition; a repeat writes the same.
    Write,
    /// Writes under a condition, by Paxos. Nobody repeats it blindly.
    Conditional,
}

/// One field a statement; `$.` stands for the keyspace.
macro_rules! statements {
    ($($name:ident: $class:ident = $text:literal;)+) => {
        /// Statements as the server knows them.
        #[derive(Debug)]
        pub(super) struct Statements {
            $(pub(super) $name: PreparedStatement,)+
        }

        impl Statements {
            /// Has all statements prepared in a keyspace.
            pub(super) async fn prepare(
                session: &Session,
                profiles: &Profiles,
                keyspace: &str,
            ) -> Result<Self, PrepareError> {
                let prepare = async |class, text: &str| {
                    let statement = session.prepare(text.replace("$.", &format!("{keyspace}.")));
                    Ok::<_, PrepareError>(profiles.settle(class, statement.await?))
                };
                Ok(Self { $($name: prepare(Class::$class, $text).await?,)+ })
            }
        }

        #[cfg(test)]
        const ALL: &[(&str, Class, &str)] = &[$((stringify!($name), Class::$class, $text),)+];
    };
}

statements! {
    // Incarnations.
    incarnation_next: Serial = "SELECT next FROM $.incarnations WHERE shelf = 0 LIMIT 1";
    incarnation_take: Conditional =
        "UPDATE $.incarnations SET next = ? WHERE shelf = 0 IF next = ?";
    incarnation_open: Conditional =
        "INSERT INTO $.incarnations (shelf, id, lanes, sealed) VALUES (0, ?, ?, false) IF NOT EXISTS";
    incarnation: Serial =
        "SELECT lanes, sealed FROM $.incarnations WHERE shelf = 0 AND id = ?";
    incarnation_join: Conditional =
        "UPDATE $.incarnations SET address = ? WHERE shelf = 0 AND id = ? IF sealed = false";
    incarnation_seal: Conditional =
        "UPDATE $.incarnations SET sealed = true WHERE shelf = 0 AND id = ? IF sealed = false";
    incarnation_forget: Conditional =
        "DELETE FROM $.incarnations WHERE shelf = 0 AND id = ? IF sealed = true";
    incarnations: Read =
        "SELECT id, address, sealed FROM $.incarnations WHERE shelf = 0";
    beat: Write = "INSERT INTO $.beats (shelf, id, beat) VALUES (0, ?, ?)";
    beats: Read = "SELECT id, beat FROM $.beats WHERE shelf = 0";

    // The journal.
    part: Serial = "SELECT first, next, sealed, next_part FROM $.journal
        WHERE incarnation = ? AND lane = ? AND part = ? LIMIT 1";
    part_begin: Conditional = "UPDATE $.journal SET first = ?, next = ?, sealed = ?
        WHERE incarnation = ? AND lane = ? AND part = ? IF next = null";
    part_append: Conditional = "UPDATE $.journal SET next = ?, record = ?
        WHERE incarnation = ? AND lane = ? AND part = ? AND offset = ? IF next = ? AND sealed = false";
    part_close: Conditional = "UPDATE $.journal SET sealed = true, next_part = ?
        WHERE incarnation = ? AND lane = ? AND part = ? IF sealed = false";
    part_seal: Conditional = "UPDATE $.journal SET sealed = true
        WHERE incarnation = ? AND lane = ? AND part = ? IF sealed = false";
    part_drop: Write = "DELETE FROM $.journal USING TIMESTAMP ?
        WHERE incarnation = ? AND lane = ? AND part = ?";
    record: Serial = "SELECT record FROM $.journal
        WHERE incarnation = ? AND lane = ? AND part = ? AND offset = ?";
    records: Serial = "SELECT offset, record FROM $.journal
        WHERE incarnation = ? AND lane = ? AND part = ? AND offset >= ? LIMIT ?";
    lane: Read = "SELECT dropped, part FROM $.lanes WHERE incarnation = ? AND lane = ?";
    lane_drop: Write = "INSERT INTO $.lanes (incarnation, lane, dropped, part) VALUES (?, ?, ?, ?)
        USING TIMESTAMP ?";
    lanes_forget: Write = "DELETE FROM $.lanes WHERE incarnation = ?";

    // Segments and snapshots.
    segment_put: Write =
        "INSERT INTO $.segments (session, shelf, first, last, contents) VALUES (?, ?, ?, ?, ?)";
    segments: Read = "SELECT first, last, contents FROM $.segments
        WHERE session = ? AND shelf = ? AND first >= ?";
    segment_head_put: Write =
        "INSERT INTO $.segment_heads (session, last) VALUES (?, ?) USING TIMESTAMP ?";
    segment_head: Read = "SELECT last FROM $.segment_heads WHERE session = ?";
    snapshot_put: Write =
        "INSERT INTO $.snapshots (session, seq, state) VALUES (?, ?, ?) USING TIMESTAMP ?";
    snapshot: Read = "SELECT seq, state FROM $.snapshots WHERE session = ?";

    // Objects.
    chunk_put: Write =
        "INSERT INTO $.objects (project, oid, chunk, contents) VALUES (?, ?, ?, ?)";
    object_put: Write = "INSERT INTO $.objects
        (project, oid, chunk, kind, length, packed, chunks, contents) VALUES (?, ?, 0, ?, ?, ?, ?, ?)";
    object: Read = "SELECT kind, length, packed, chunks, contents FROM $.objects
        WHERE project = ? AND oid = ? AND chunk = 0";
    chunk: Read =
        "SELECT contents FROM $.objects WHERE project = ? AND oid = ? AND chunk = ?";

    // Sessions.
    session_create: Conditional = "INSERT INTO $.sessions
        (session, user, cid, title, created_at_ms, epoch, owner, parent, parent_seq, project, base, turns)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS";
    session: Read = "SELECT user, cid, title, created_at_ms, epoch, owner,
        parent, parent_seq, project, base, turns FROM $.sessions WHERE session = ?";
    session_settled: Serial = "SELECT user, cid, title, created_at_ms, epoch, owner,
        parent, parent_seq, project, base, turns FROM $.sessions WHERE session = ?";
    session_owner: Serial = "SELECT owner FROM $.sessions WHERE session = ?";
    session_move: Conditional =
        "UPDATE $.sessions SET owner = ? WHERE session = ? IF owner = ?";
    projection_put: Write = "INSERT INTO $.projections (session, seq, status, head)
        VALUES (?, ?, ?, ?) USING TIMESTAMP ?";
    projection: Read = "SELECT seq, status, head FROM $.projections WHERE session = ?";
    by_user_put: Write =
        "INSERT INTO $.sessions_by_user (user, created_at_ms, session) VALUES (?, ?, ?)";
    by_user_remove: Write = "DELETE FROM $.sessions_by_user
        WHERE user = ? AND created_at_ms = ? AND session = ?";
    by_user: Read =
        "SELECT created_at_ms, session FROM $.sessions_by_user WHERE user = ? LIMIT ?";
    by_user_after: Read = "SELECT created_at_ms, session FROM $.sessions_by_user
        WHERE user = ? AND (created_at_ms, session) < (?, ?) LIMIT ?";
    by_owner_put: Write = "INSERT INTO $.sessions_by_owner (owner, session) VALUES (?, ?)";
    by_owner_remove: Write = "DELETE FROM $.sessions_by_owner WHERE owner = ? AND session = ?";
    by_owner: Read = "SELECT session FROM $.sessions_by_owner WHERE owner = ? LIMIT ?";
    by_owner_after: Read =
        "SELECT session FROM $.sessions_by_owner WHERE owner = ? AND session > ? LIMIT ?";

    // Documents.
    document: Read = "SELECT version, contents FROM $.documents WHERE kind = ? AND key = ?";
    document_version: Serial =
        "SELECT version, writer FROM $.documents WHERE kind = ? AND key = ?";
    document_create: Conditional = "INSERT INTO $.documents (kind, key, version, writer, contents)
        VALUES (?, ?, 1, ?, ?) IF NOT EXISTS";
    document_replace: Conditional = "UPDATE $.documents SET version = ?, writer = ?, contents = ?
        WHERE kind = ? AND key = ? IF version = ?";
    document_remove: Conditional =
        "DELETE FROM $.documents WHERE kind = ? AND key = ? IF version = ?";
    key_put: Write = "INSERT INTO $.document_keys (kind, shelf, key) VALUES (?, ?, ?)";
    key_remove: Write =
        "DELETE FROM $.document_keys USING TIMESTAMP ? WHERE kind = ? AND shelf = ? AND key = ?";
    keys: Read = "SELECT key FROM $.document_keys
        WHERE kind = ? AND shelf = ? AND key > ? LIMIT ?";

    // Ledgers.
    ledger: Read = "SELECT version, head FROM $.ledgers WHERE user = ? LIMIT 1";
    ledger_due: Read = "SELECT version, due_at_ms FROM $.ledgers WHERE user = ? LIMIT 1";
    ledger_version: Serial = "SELECT version, writer FROM $.ledgers WHERE user = ? LIMIT 1";
    ledger_move: Conditional = "UPDATE $.ledgers SET version = ?, writer = ?, head = ?, due_at_ms = ?
        WHERE user = ? IF version = ?";
    ledger_row_put: Conditional = "INSERT INTO $.ledgers (user, what, seq, name, id, contents)
        VALUES (?, 'row', ?, '', ?, ?)";
    ledger_name_put: Conditional = "INSERT INTO $.ledgers (user, what, seq, name, at)
        VALUES (?, 'name', 0, ?, ?) IF NOT EXISTS";
    ledger_name: Read = "SELECT at FROM $.ledgers
        WHERE user = ? AND what = 'name' AND seq = 0 AND name = ?";
    ledger_row: Read = "SELECT id, contents FROM $.ledgers
        WHERE user = ? AND what = 'row' AND seq = ? AND name = ''";
    ledger_rows: Read = "SELECT seq, id, contents FROM $.ledgers
        WHERE user = ? AND what = 'row' AND seq < ? LIMIT ?";
    due_put: Write = "INSERT INTO $.ledgers_due (shelf, due_at_ms, user) VALUES (?, ?, ?)";
    due_remove: Write = "DELETE FROM $.ledgers_due USING TIMESTAMP ?
        WHERE shelf = ? AND due_at_ms = ? AND user = ?";
    due: Read = "SELECT due_at_ms, user FROM $.ledgers_due
        WHERE shelf = ? AND due_at_ms <= ? LIMIT ?";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_statement_asks_for_what_one_server_lacks_or_does_slowly() {
        for (name, class, text) in ALL {
            let upper = text.to_uppercase();
            for forbidden in
                ["SELECT *", "ALLOW FILTERING", " IN (", " IN ?", "COUNT(", "USING TTL", "TOKEN("]
            {
                assert!(!upper.contains(forbidden), "{name} has {forbidden}");
            }
            assert!(text.contains("$."), "{name} names no keyspace");
            assert!(!text.contains(';'), "{name} is more than one statement");
            let selects = upper.starts_with("SELECT ");
            assert_eq!(selects, matches!(class, Class::Read | Class::Serial), "{name}");
        }
    }

    #[test]
    fn a_condition_is_a_conditional_statement_s_and_no_other_s() {
        // Of a ledger's batch the head is conditional; its rows go with it.
        for (name, class, text) in ALL.iter().filter(|(name, ..)| *name != "ledger_row_put") {
            assert_eq!(text.contains(" IF "), *class == Class::Conditional, "{name}");
        }
    }
}
