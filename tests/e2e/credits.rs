//! What a run costs, from its quote to its payment, on the real server.

use crate::server::{Site, Socket, is_end, output, session};
use greenroom_protocol::{
    credits::{CreditsInfo, Kind, Quote, Transaction, TransactionPage},
    error::Reason,
    event::Event,
    frame::ServerFrame,
    method::Method,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn a_run_is_quoted_paid_and_explained_over_rest() {
    let site = Site::new();
    let server = site.start().await;
    let (ada, eve) = (server.register("ada").await, server.register("eve").await);
    let before: CreditsInfo = read(server.get(&ada, "/credits").await);
    let session = server.create(&ada).await;
    let asked = json!({ "input": "a todo app", "session": session });
    let quote = server.rest("POST", "/credits/quote").by(&ada).json(&asked).send().await;
    let quote: Quote = read(quote.with(200));
    assert!(quote.sufficient && quote.hold >= quote.cost_p50 && quote.cost_p50 > 0, "{quote:?}");
    let foreign = server.rest("POST", "/credits/quote").by(&eve).json(&asked).send().await;
    assert_eq!(foreign.problem(), (404, "session_not_found".to_owned()));

    server.start_run(&ada, session, "a todo app").await;
    let entries = server.poll_until(&ada, session, |entry| is_end(&entry.event)).await;
    let paid = entries.iter().find_map(|entry| {
        let Event::CreditsSettled { paid, cost, .. } = &entry.event else { return None };
        Some((*paid, *cost))
    });
    let usage = entries.iter().find_map(|entry| {
        let Event::Usage { usage, .. } = &entry.event else { return None };
        Some(*usage)
    });

    let (paid, cost) = paid.unwrap();
    assert_eq!((paid, cost), (quote.price.cost(&usage.unwrap()), paid));
    let after: CreditsInfo = read(server.get(&ada, "/credits").await);
    assert_eq!(after.balance.available, before.balance.available - paid);
    assert_eq!((after.balance.held, after.month_spent), (0, paid));
    let first: TransactionPage = read(server.get(&ada, "/credits/history?limit=1").await);
    let [Transaction { kind: Kind::Settle, amount, rule: Some(rule), price: Some(price), .. }] =
        &first.items[..]
    else {
        panic!("{first:?}");
    };
    assert_eq!((*amount, rule.version, price), (paid, 1, &quote.price));
    let path = format!("/credits/history?before={}", first.next_before.unwrap());
    let rest: TransactionPage = read(server.get(&ada, &path).await);
    let kinds: Vec<Kind> = rest.items.iter().map(|transaction| transaction.kind).collect();
    // A first answer is expected to be as long as any: it may have reserved more.
    assert!(kinds.ends_with(&[Kind::Hold, Kind::Grant, Kind::Grant]), "{kinds:?}");
    let hers: CreditsInfo = read(server.get(&eve, "/credits").await);
    assert_eq!(hers.balance.available, before.balance.available);
}

#[tokio::test]
async fn a_user_without_credits_is_refused_and_an_operator_helps() {
    let site = Site::new()
        .with("GREENROOM__CREDITS__SIGN_UP_GRANT", "0")
        .with("GREENROOM__CREDITS__MONTHLY_GRANT", "0");
    let server = site.start().await;
    let user = server.register("ada").await;
    let mut socket = Socket::connect(&server, &user).await;
    let session = session();
    socket.create(session, 1).await;
    socket.start_run(session, "a todo app").await;
    let refused = socket.take_until_event(is_end).await;
    let reason = refused.iter().find_map(|frame| {
        let ServerFrame::Ev(ev) = frame else { return None };
        ev.event.finished_reason()
    });
    assert_eq!(reason, Some(Reason::InsufficientCredits));

    let port = server.internal.port().to_string();
    let credits = |args: &[&str]| {
        let mut command = site.command(&[&["credits"], args].concat());
        command.env("GREENROOM__SERVER__INTERNAL_PORT", &port);
        command
    };
    let grant = ["grant", "100.5", "--email", &user.email, "--name", "order-7", "--output", "json"];
    for _ in 0..2 {
        let given = output(&mut credits(&grant)).await;
        assert!(given.status.success(), "{given:?}");
        let info: CreditsInfo = serde_json::from_slice(&given.stdout).unwrap();
        assert_eq!(info.balance.available, 100_500_000, "once");
    }
    let shown = output(&mut credits(&["show", &user.email])).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("available  100.5\n"), "{shown}");
    let unknown = output(&mut credits(&["show", "nobody@example.org"])).await;
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");

    socket.start_run(session, "a todo app").await;
    socket.take_until_event(is_end).await;
    let info: CreditsInfo = socket.ask(&Method::CreditsGet).await;
    assert!(info.balance.available < 100_500_000, "{info:?}");
}
