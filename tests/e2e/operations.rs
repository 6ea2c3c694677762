//! What an operator sees.

use crate::server::{Site, Socket, is_end, output, session};
use serde_json::Value;

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let site = Site::new();
    let _first = site.start().await;
    let mut second = site.serve();
    second.env("GREENROOM__SERVER__PORT", "0").env("GREENROOM__SERVER__INTERNAL_PORT", "0");
    let refused = output(&mut second).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(69), "{said}");
    assert!(said.contains(site.data().to_str().unwrap()), "it names the folder: {said}");
    assert!(said.contains("use") || said.contains("held"), "{said}");

    let mut third = site.serve();
    let elsewhere = site.place("other");
    third.env("GREENROOM__SERVER__DATA_DIR", &elsewhere);
    let refused = output(&mut third).await;
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(69), "{said}");
    assert!(said.contains("server.port"), "it names the key: {said}");
}

#[tokio::test]
async fn a_bad_configuration_and_a_bad_command_line_have_exit_codes_of_their_own() {
    let site = Site::new();
    for (key, value, word) in [
        ("GREENROOM__SERVER__PROT", "1", "GREENROOM__SERVER__PROT"),
        ("GREENROOM__SESSION__WINDOW_MS", "soon", "session.window_ms"),
        ("GREENROOM__AUTH__JWT_SECRET", "hunter2", "auth.jwt_secret"),
        ("GREENROOM__RUNS__PROVIDER", "", "providers"),
    ] {
        let mut serve = site.serve();
        serve.env(key, value);
        if word == "providers" {
            serve.env_remove("GREENROOM__PROVIDERS__DEMO__FIRST_TOKEN_MS");
            serve.env_remove("GREENROOM__PROVIDERS__DEMO__TOKENS_PER_SECOND");
        }
        let run = output(&mut serve).await;
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(78), "{key}: {said}");
        assert!(said.contains(word), "{key}: {said}");
        assert!(!said.contains("hunter2"), "a secret: {said}");
    }
    for args in [&["serve", "--prot", "1"][..], &["fly"], &["client", "ls"]] {
        let run = output(&mut site.command(args)).await;
        assert_eq!(run.status.code(), Some(2), "{args:?}");
    }
}

#[tokio::test]
async fn the_internal_port_tells_life_readiness_and_metrics() {
    let site = Site::new();
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    socket.start_run(session, "a todo app").await;
    socket.take_until_event(is_end).await;

    assert_eq!(server.internal("/livez").await.0, 200);
    assert_eq!(server.internal("/readyz").await.0, 200);
    let (status, metrics) = server.internal("/metrics").await;
    assert_eq!(status, 200);
    let mut families = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    assert!(families.all(|family| family.starts_with("greenroom_")), "{metrics}");
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse::<f64>().unwrap()
    };
    assert!((value("greenroom_ws_connections") - 1.0).abs() < f64::EPSILON);
    assert!((value("greenroom_runs_total") - 1.0).abs() < f64::EPSILON);
    assert!(value("greenroom_entries_total") > 5.0);
    assert!(value("greenroom_journal_append_seconds_count") > 0.0);
    assert!(metrics.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_doctor_names_a_missing_provider_among_all_else_that_it_examines() {
    let site = Site::new();
    let mut doctor = site.command(&["doctor", "--output", "json"]);
    doctor.env("GREENROOM__SERVER__PORT", "0").env("GREENROOM__SERVER__INTERNAL_PORT", "0");
    let run = output(&mut doctor).await;
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(69), "{said}");
    assert!(said.contains("providers"), "{said}");
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let (failed, others): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| finding["state"] == "failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["subject"], "providers");
    assert!(failed[0]["fix"].as_str().unwrap().contains("GROQ_API_KEYS"), "{failed:?}");
    assert!(others.len() > 4, "{others:?}");
}
