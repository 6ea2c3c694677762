use super::bench::{Bench, Client, assert_contiguous};
use crate::{
    fake::Call,
    port::ProviderErrorKind,
    run::prompt::{Parsed, Remedy},
};
use greenroom_protocol::{
    client::{Keep, Replica},
    error::Reason,
    event::{Event, Outcome},
    frame::Ev,
};

const FILES: [(&str, &str); 2] = [("a.txt", "one\ntwo\nthree\n"), ("b.txt", "x\n")];

/// A session with [`FILES`], and the call of a second prompt.
async fn second_turn(bench: &mut Bench) -> (Client, Call) {
    let mut client = bench.attached().await;
    client.start(2, "two files").await.unwrap();
    let mut call = bench.calls.next().await.unwrap();
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    for (path, text) in FILES {
        call.text(&format!("@@{tag} write {path}\n{text}@@{tag} end\n")).await;
    }
    call.finish().await;
    client.until_finished().await;
    client.start(3, "change them").await.unwrap();
    let call = bench.calls.next().await.unwrap();
    (client, call)
}

fn edit(call: &Call, path: &str, from: &str, to: &str) -> String {
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    format!(
        "@@{tag} edit {path}\n<<<<<<< SEARCH\n{from}\n=======\n{to}\n>>>>>>> REPLACE\n@@{tag} end\n"
    )
}

/// The files that a client builds from the whole log.
async fn files(bench: &Bench) -> Vec<(String, String)> {
    let mut replica = Replica::new(Keep::Everything);
    let mut reader = bench.reader().await;
    for _ in 0..2 {
        let (entries, ..) = reader.until_finished().await;
        entries.iter().for_each(|entry| replica.apply(entry).unwrap());
    }
    let files = replica.files().iter();
    files.map(|(path, file)| (path.clone(), file.body.text.clone())).collect()
}

fn calls_of(entries: &[Ev]) -> usize {
    entries.iter().filter(|entry| matches!(entry.event, Event::Usage { .. })).count()
}

fn has_commit(entries: &[Ev]) -> bool {
    entries.iter().any(|entry| matches!(entry.event, Event::FilesCommitted { .. }))
}

#[tokio::test(start_paused = true)]
async fn an_edit_is_committed_and_every_client_has_the_same_bytes() {
    let mut bench = Bench::new().await;
    let (mut client, mut call) = second_turn(&mut bench).await;
    assert!(call.request.messages[0].content.contains("<<<<<<< SEARCH"), "it is told how");
    call.text(&edit(&call, "a.txt", "two", "2\n2")).await;
    call.text("b.txt\n```\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n```\n").await;
    call.finish().await;

    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!((outcome, calls_of(&entries)), (Outcome::Completed, 1));
    let expected = [("a.txt", "one\n2\n2\nthree\n"), ("b.txt", "y\n")];
    let expected = expected.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(files(&bench).await, expected);
    assert_eq!(bench.engine.meter().edits_of("fake-1", "exact"), 2);
}

#[tokio::test(start_paused = true)]
async fn edits_that_do_not_apply_are_asked_for_once_more_with_the_real_lines() {
    let mut bench = Bench::new().await;
    let (mut client, mut call) = second_turn(&mut bench).await;
    call.text(&edit(&call, "b.txt", "x", "y")).await;
    call.text(&edit(&call, "a.txt", "two\nfour", "2\n4")).await;
    call.finish().await;

    let mut call = bench.calls.next().await.unwrap();
    let asked = Parsed::read(&call.request.messages).unwrap();
    assert_eq!((asked.request.as_str(), asked.remedy), ("change them", Some(Remedy::Edit)));
    assert_eq!(asked.done["b.txt"], "y\n");
    assert_eq!(asked.failed.keys().collect::<Vec<_>>(), ["a.txt"]);
    assert!(asked.failed["a.txt"].contains("one\ntwo\nthree"), "{:?}", asked.failed);
    call.text(&edit(&call, "a.txt", "two", "2")).await;
    call.finish().await;

    let (entries, outcome, _) = client.until_finished().await;
    assert_contiguous(entries[0].seq.0, &entries);
    assert_eq!((outcome, calls_of(&entries)), (Outcome::Completed, 2));
    let said = entries.iter().any(|entry| {
        matches!(&entry.event, Event::Error { error } if error.reason == Reason::EditFailed)
    });
    assert!(said, "the first miss is in the log");
    let expected = [("a.txt", "one\n2\nthree\n"), ("b.txt", "y\n")];
    let expected = expected.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(files(&bench).await, expected);
    let meter = bench.engine.meter();
    let counts = ["exact", "not_found"].map(|result| meter.edits_of("fake-1", result));
    assert_eq!(counts, [2, 1]);
}

#[tokio::test(start_paused = true)]
async fn what_edits_can_not_mend_is_asked_for_whole_and_then_fails_with_nothing_committed() {
    let mut bench = Bench::new().await;
    let (mut client, mut call) = second_turn(&mut bench).await;
    for remedy in [None, Some(Remedy::Edit), Some(Remedy::Write)] {
        assert_eq!(Parsed::read(&call.request.messages).unwrap().remedy, remedy);
        call.text(&edit(&call, "a.txt", "four", "4")).await;
        call.text(&edit(&call, "b.txt", "x", "y")).await;
        call.finish().await;
        let Some(_) = remedy.filter(|remedy| *remedy == Remedy::Write) else {
            call = bench.calls.next().await.unwrap();
            continue;
        };
        break;
    }
    let (entries, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::EditFailed));
    assert!(!has_commit(&entries));
    assert_eq!(calls_of(&entries), 3);
    let before = FILES.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(files(&bench).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_written_whole_in_the_end_completes_the_turn() {
    let mut bench = Bench::new().await;
    let (mut client, mut call) = second_turn(&mut bench).await;
    call.text(&edit(&call, "a.txt", "four", "4")).await;
    call.finish().await;
    bench.calls.next().await.unwrap().finish().await;
    let mut call = bench.calls.next().await.unwrap();
    let tag = Parsed::read(&call.request.messages).unwrap().tag;
    call.text(&format!("@@{tag} write a.txt\nnew\n@@{tag} end\n")).await;
    call.finish().await;
    let (entries, outcome, _) = client.until_finished().await;
    assert_eq!((outcome, has_commit(&entries)), (Outcome::Completed, true));
    assert_eq!(files(&bench).await[0].1, "new\n");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_fails_while_an_edit_is_mended_fails_the_run() {
    let mut bench = Bench::new().await;
    let (mut client, mut call) = second_turn(&mut bench).await;
    call.text(&edit(&call, "a.txt", "four", "4")).await;
    call.finish().await;
    let mut mending = bench.calls.next().await.unwrap();
    mending.text("Again: ").await; // from here on no call is made once more
    mending.fail(ProviderErrorKind::Broken).await;
    let (entries, outcome, error) = client.until_finished().await;
    assert_eq!((outcome, error.unwrap().reason), (Outcome::Failed, Reason::ProviderBroken));
    assert!(!has_commit(&entries));
}

#[tokio::test(start_paused = true)]
async fn a_turn_with_edits_goes_on_after_a_crash_and_edits_nothing_twice() {
    let mut bench = Bench::new().await;
    let (mut client, mut call) = second_turn(&mut bench).await;
    let (one, two) = (edit(&call, "b.txt", "x", "x\nx"), edit(&call, "a.txt", "two", "2"));
    call.text(&one).await;
    call.text(two.get(..two.len() / 2).unwrap()).await;
    client.entries_until(|event| matches!(event, Event::FileEnd { .. })).await;

    let mut bench = bench.restart().await;
    let mut call = bench.calls.next().await.unwrap();
    let asked = Parsed::read(&call.request.messages).unwrap();
    assert_eq!(asked.done["b.txt"], "x\nx\n", "the edit is a file that is written");
    call.text(&edit(&call, "a.txt", "two", "2")).await;
    call.text(&edit(&call, "b.txt", "x\nx", "x\nx\nx")).await;
    call.finish().await;
    let expected = [("a.txt", "one\n2\nthree\n"), ("b.txt", "x\nx\nx\n")];
    let expected = expected.map(|(path, text)| (path.to_owned(), text.to_owned()));
    assert_eq!(files(&bench).await, expected);
}
