//! One event as one line of JSON: `ts`, `level`, `target`, `msg`, the event's own fields, and the
//! ids of the spans around it, all on the top level, so that one field finds all lines of a session.

use serde_json::{Map, Value};
use std::fmt;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormattedFields,
        format::{JsonFields, Writer},
        time::{FormatTime as _, SystemTime},
    },
    registry::LookupSpan,
};

/// Formats events for programs. Goes with [`JsonFields`], which keeps the fields of spans.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line;

impl<S> FormatEvent<S, JsonFields> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("ts".into(), now()?.into());
        line.insert("level".into(), metadata.level().as_str().into());
        line.insert("target".into(), metadata.target().into());
        event.record(&mut Fields(&mut line));
        // From the inside out: the nearest span says it best.
        for span in context.lookup_current().iter().flat_map(|span| span.scope()) {
            let extensions = span.extensions();
            let Some(fields) = extensions.get::<FormattedFields<JsonFields>>() else { continue };
            let fields: Map<String, Value> = serde_json::from_str(fields).unwrap_or_default();
            for (name, value) in fields {
                line.entry(name).or_insert(value);
            }
        }
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// The time in RFC 3339, UTC, with microseconds.
fn now() -> Result<String, fmt::Error> {
    let mut text = String::new();
    SystemTime.format_time(&mut Writer::new(&mut text))?;
    Ok(text)
}

/// Takes an event's fields into a line; its message is `msg`.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
    };
    use tracing_subscriber::layer::SubscriberExt as _;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<Map<String, Value>> {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::registry()
            .with(super::super::json_layer().with_writer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, log);
        let bytes = sink.0.lock().unwrap();
        str::from_utf8(&bytes)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_holds_the_event_and_the_ids_of_the_spans_around_it() {
        let lines = lines(|| {
            let _user =
                tracing::info_span!("connection", connection = "con_1", user = "usr_1").entered();
            let _run = tracing::info_span!("run", run = "run_1", user = "usr_2").entered();
            tracing::warn!(tries = 3, run = "run_own", "it {} failed", "nearly");
        });
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!(line["msg"], "it nearly failed");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["target"], module_path!());
        assert_eq!(line["tries"], 3);
        assert_eq!(line["connection"], "con_1");
        assert_eq!(line["user"], "usr_2", "of the inner span");
        assert_eq!(line["run"], "run_own", "the event's own");
        assert!(line["ts"].as_str().is_some_and(|ts| ts.ends_with('Z')), "{line:?}");
    }

    #[test]
    fn what_an_attacker_writes_stays_within_its_line() {
        let lines = lines(|| {
            tracing::warn!(name = "a\n{\"level\":\"ERROR\"}\u{1b}[31m", "odd \"name\"\r\n");
        });
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["name"], "a\n{\"level\":\"ERROR\"}\u{1b}[31m");
    }
}
