//! Traces at a collector.

#[cfg(not(feature = "otel"))]
use crate::server::{Site, output};

#[cfg(not(feature = "otel"))]
#[tokio::test]
async fn a_build_without_opentelemetry_says_so_where_a_collector_is_configured() {
    let site = Site::new();
    let mut serve = site.serve();
    serve.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");
    let run = output(&mut serve).await;
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(78), "{said}");
    for part in ["telemetry.otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", "--features otel"] {
        assert!(said.contains(part), "{said}");
    }
}

#[cfg(feature = "otel")]
mod exported {
    use crate::server::{Collector, Field, Model, Script, Server, Site, Span, User, is_end};

    const PROMPT: &str = "a page about the okapi, please";
    const ANSWER: &str = "The okapi it is.\n@@TAG write okapi.txt\nforest giraffe\n@@TAG end\n";

    async fn generate(server: &Server, user: &User) -> (String, String) {
        let session = server.create(user).await;
        let run = server.start_run(user, session, PROMPT).await;
        server.poll_until(user, session, |entry| is_end(&entry.event)).await;
        (session.to_string(), run["run"].as_str().unwrap().to_owned())
    }

    /// Drains the server, which sends what still waits.
    async fn ended(mut server: Server) {
        server.signal("TERM").await;
        assert_eq!(server.exit().await, Some(0));
    }

    fn find<'a>(spans: &'a [Span], name: &str) -> &'a Span {
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no {name} among {spans:#?}"))
    }

    fn assert_has(span: &Span, expected: &[(&str, Field)]) {
        for (name, value) in expected {
            assert_eq!(span.attributes.get(*name), Some(value), "{name} of {span:#?}");
        }
    }

    #[tokio::test]
    async fn a_generation_is_a_trace_by_the_conventions_and_holds_no_text_of_anybody() {
        let (collector, model) =
            (Collector::start().await, Model::start(Script::Counted(ANSWER)).await);
        let site = Site::new()
            .answered_by(&model.base_url())
            .with("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint())
            .with("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=sesame")
            .with("OTEL_SERVICE_NAME", "a-product")
            .with("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
        let server = site.start().await;
        let user = server.register("ada").await;
        let (session, run) = generate(&server, &user).await;
        assert_eq!(server.files(&user, session.parse().unwrap()).await.len(), 1);
        ended(server).await;

        let spans = collector.spans();
        let call = find(&spans, "chat a-model");
        assert_eq!((call.kind, call.status), (3, 0));
        assert_has(
            call,
            &[
                ("gen_ai.operation.name", "chat".into()),
                ("gen_ai.provider.name", "custom".into()),
                ("gen_ai.request.model", "a-model".into()),
                ("gen_ai.response.model", Model::NAME.into()),
                ("gen_ai.usage.input_tokens", Field::Int(Model::INPUT_TOKENS)),
                ("gen_ai.usage.output_tokens", Field::Int(Model::OUTPUT_TOKENS)),
                ("gen_ai.response.finish_reasons", Field::List(vec!["stop".into()])),
            ],
        );
        let whole = find(&spans, "run");
        assert_eq!((&call.parent, &call.trace), (&whole.id, &whole.trace));
        assert!(whole.parent.is_empty());
        assert_has(
            whole,
            &[
                ("run", (&*run).into()),
                ("session", (&*session).into()),
                ("outcome", "completed".into()),
            ],
        );

        let request = find(&spans, "POST /api/v1/sessions/{session}/runs");
        assert_eq!((request.kind, request.status), (2, 0));
        assert_has(
            request,
            &[
                ("http.request.method", "POST".into()),
                ("http.route", "/api/v1/sessions/{session}/runs".into()),
                ("http.response.status_code", Field::Int(202)),
                ("url.scheme", "http".into()),
            ],
        );
        for (name, value) in [
            ("service.name", "a-product"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("deployment.environment.name", "test"),
        ] {
            assert_eq!(call.resource.get(name), Some(&value.into()), "{:?}", call.resource);
        }
        for (head, body) in collector.requests() {
            assert!(head.starts_with("post /v1/traces "), "{head}");
            assert!(head.contains("\r\nx-collector-key: sesame\r\n"), "{head}");
            let body = String::from_utf8_lossy(&body);
            for text in ["okapi", "giraffe", &user.access, &user.email] {
                assert!(!body.contains(text), "{text} is in {body:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_call_that_fails_says_why_and_the_service_has_our_name_by_itself() {
        let collector = Collector::start().await;
        let site = Site::new()
            .answered_by("http://127.0.0.1:9/v1")
            .with("GREENROOM__TELEMETRY__OTLP_ENDPOINT", collector.endpoint());
        let server = site.start().await;
        let user = server.register("ada").await;
        generate(&server, &user).await;
        ended(server).await;

        let spans = collector.spans();
        let call = find(&spans, "chat a-model");
        assert_eq!(call.status, 2);
        assert_has(call, &[("error.type", "unreachable".into())]);
        assert_eq!(call.resource.get("service.name"), Some(&"greenroom".into()));
        assert_has(find(&spans, "run"), &[("outcome", "failed".into())]);
    }

    #[tokio::test]
    async fn a_collector_that_never_answers_holds_up_neither_runs_nor_the_end() {
        let collector = Collector::stuck().await;
        let site = Site::new()
            .with("GREENROOM__TELEMETRY__OTLP_ENDPOINT", collector.endpoint())
            .with("OTEL_BSP_SCHEDULE_DELAY", "1");
        let server = site.start().await;
        let user = server.register("ada").await;
        collector.asked().await;
        generate(&server, &user).await;
        ended(server).await;
    }
}
