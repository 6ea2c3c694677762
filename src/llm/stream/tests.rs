use super::*;
use futures_util::{FutureExt, StreamExt, stream};
use greenroom_actors::port::Finish;
use tokio::sync::mpsc;

const SECOND: Duration = Duration::from_secs(1);
const CONTENT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const EMPTY: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\n";
const COMMENT: &str = ": ping\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

#[tokio::test(start_paused = true)]
async fn an_answer_without_content_stalls_in_spite_of_signs_of_life() {
    for sign in [COMMENT, EMPTY] {
        let begun = Instant::now();
        let mut answer = answer(every(7 * SECOND, move |_| sign.to_owned()));

        let error = answer.next().await.unwrap().unwrap_err();

        assert_eq!((error.kind, begun.elapsed()), (Kind::Stalled, 60 * SECOND), "of {sign}");
        assert_eq!(error.to_string(), "mock: sent no content within 61s");
        assert!(answer.next().await.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_byte_is_dead_before_the_content_is_late() {
    let begun = Instant::now();
    let mut answer = answer(stream::pending());

    let error = answer.next().await.unwrap().unwrap_err();

    assert_eq!((error.kind, begun.elapsed()), (Kind::Stalled, 20 * SECOND));
    assert_eq!(error.to_string(), "mock: sent nothing at all for 20s");
}

#[tokio::test(start_paused = true)]
async fn a_pause_between_contents_stalls_and_a_slow_but_steady_answer_does_not() {
    let mut steady =
        answer(every(9 * SECOND, |n| if n < 20 { CONTENT } else { STOP }.to_owned()).take(21));
    assert_eq!(steady.by_ref().filter(|delta| std::future::ready(delta.is_ok())).count().await, 21);

    let begun = Instant::now();
    let mut pausing =
        answer(every(4 * SECOND, |n| if n == 0 { CONTENT } else { COMMENT }.to_owned()));
    assert_eq!(pausing.next().await, Some(Ok(Delta::Text("a".into()))));
    let error = pausing.next().await.unwrap().unwrap_err();

    assert_eq!((error.kind, begun.elapsed()), (Kind::Stalled, 14 * SECOND), "{error}");
    assert_eq!(error.to_string(), "mock: stopped in mid-answer for 10s");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_is_given_up_after_a_window() {
    let begun = Instant::now();
    let drips = |n| if n == 0 { CONTENT.repeat(40) } else { CONTENT.to_owned() };
    let mut answer = answer_at_least(2, every(3 * SECOND, drips));

    let error = loop {
        if let Err(error) = answer.next().await.unwrap() {
            break error;
        }
    };

    // The first window begins with the first content, and is too slow by then: 50 in 30 s.
    assert_eq!((error.kind, begun.elapsed()), (Kind::Stalled, 33 * SECOND), "{error}");
    assert!(error.message.starts_with("wrote 50 characters in 30.0 s"), "{error}");
    assert!(answer.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_away_does_not_make_an_answer_drip() {
    let (sender, body) = channel();
    let mut answer = answer_at_least(2, body);
    for _ in 0..20 {
        sender.send(Ok(CONTENT.into())).await.unwrap();
        tokio::time::sleep(100 * SECOND).await;
        assert!(answer.next().await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_away_does_not_make_the_provider_late() {
    let (sender, body) = channel();
    let mut answer = answer(body);
    sender.send(Ok(CONTENT.into())).await.unwrap();
    assert!(answer.next().await.unwrap().is_ok());

    tokio::time::sleep(1000 * SECOND).await;
    assert!(answer.next().now_or_never().is_none(), "it waits, and is not late");
    tokio::time::sleep(9 * SECOND).await;
    sender.send(Ok(CONTENT.into())).await.unwrap();

    assert_eq!(answer.next().await, Some(Ok(Delta::Text("a".into()))));
}

#[tokio::test(start_paused = true)]
async fn a_complete_answer_waits_a_bounded_time_for_its_end_mark() {
    let begun = Instant::now();
    let body = stream::iter([Ok(Bytes::from(format!("{CONTENT}{STOP}")))]).chain(stream::pending());
    let deltas: Vec<_> = answer(body).map(Result::unwrap).collect().await;

    assert_eq!(deltas, [Delta::Text("a".into()), Delta::Finish(Finish::Stop)]);
    assert_eq!(begun.elapsed(), TAIL_MAX);
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_do_not_prolong_a_complete_answer() {
    let begun = Instant::now();
    let body = every(2 * SECOND, |n| if n == 0 { STOP } else { CONTENT }.to_owned());
    let last = answer(body).map(Result::unwrap).collect::<Vec<_>>().await.pop();

    assert_eq!(last, Some(Delta::Finish(Finish::Stop)));
    assert_eq!(begun.elapsed(), 2 * SECOND + TAIL_MAX);
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_with_the_end_mark_and_the_body_is_read_to_its_end() {
    let (sender, body) = channel();
    let mut answer = answer(body);
    sender.send(Ok(format!("{CONTENT}{STOP}{DONE}").into())).await.unwrap();

    let begun = Instant::now();
    assert_eq!(answer.next().await, Some(Ok(Delta::Text("a".into()))));
    assert_eq!(answer.next().await, Some(Ok(Delta::Finish(Finish::Stop))));
    assert_eq!(begun.elapsed(), Duration::ZERO, "the end mark is enough");
    assert!(answer.next().now_or_never().is_none(), "the end of the body is waited for");
    drop(sender);
    assert_eq!(answer.next().now_or_never(), Some(None));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stays_open_after_the_end_mark_is_given_up() {
    let (sender, body) = channel();
    sender.send(Ok(format!("{CONTENT}{STOP}{DONE}").into())).await.unwrap();
    let begun = Instant::now();

    assert_eq!(answer(body).count().await, 2);

    assert_eq!(begun.elapsed(), DRAIN_MAX);
    assert!(sender.is_closed(), "the body is dropped");
}

#[tokio::test(start_paused = true)]
async fn the_deltas_of_one_read_come_without_waiting() {
    let (sender, body) = channel();
    let mut answer = answer(body);
    sender.send(Ok(CONTENT.repeat(3).into())).await.unwrap();

    for _ in 0..3 {
        let delta = answer.next().now_or_never();
        assert_eq!(delta, Some(Some(Ok(Delta::Text("a".into())))));
    }
    assert!(answer.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn deltas_before_a_break_are_delivered_and_the_body_is_dropped() {
    let (sender, body) = channel();
    let mut answer = answer(body);
    sender.send(Ok(CONTENT.repeat(2).into())).await.unwrap();
    sender.send(Err("reset with key-of-mock".into())).await.unwrap();

    assert!(answer.next().await.unwrap().is_ok());
    assert!(answer.next().await.unwrap().is_ok());
    let error = answer.next().await.unwrap().unwrap_err();

    assert_eq!(error.kind, Kind::Broken);
    assert_eq!(error.message, "the connection broke in mid-answer: reset with [redacted]");
    assert!(sender.is_closed());
    assert!(answer.next().await.is_none());
}

/// An answer with 60 s left to the first content, 10 s between contents, 20 s between bytes.
fn answer<B>(body: B) -> AnswerStream<Pin<Box<B>>>
where
    B: Stream<Item = Result<Bytes, String>>,
{
    answer_at_least(0, body)
}

/// The same, with a least rate in characters a second over 30 s.
fn answer_at_least<B>(chars_per_sec: u32, body: B) -> AnswerStream<Pin<Box<B>>>
where
    B: Stream<Item = Result<Bytes, String>>,
{
    let limits = Limits {
        first_content: 61 * SECOND,
        spent: SECOND,
        stall: 10 * SECOND,
        idle: 20 * SECOND,
        least: LeastRate { chars_per_sec, window: 30 * SECOND },
    };
    let source = Source {
        provider: "mock".into(),
        redactor: Redactor::new(["key-of-mock".into()]),
        api: Api::OpenAi,
        meter: Meter::default(),
    };
    AnswerStream::new(Box::pin(body), limits, Arc::new(source))
}

/// One read each `pause`, the first after one.
fn every(
    pause: Duration,
    text: impl Fn(usize) -> String + Copy,
) -> impl Stream<Item = Result<Bytes, String>> {
    stream::iter(0..).then(move |n| async move {
        tokio::time::sleep(pause).await;
        Ok(Bytes::from(text(n)))
    })
}

fn channel() -> (mpsc::Sender<Result<Bytes, String>>, impl Stream<Item = Result<Bytes, String>>) {
    let (sender, receiver) = mpsc::channel(4);
    let body = stream::unfold(receiver, |mut receiver| async move {
        let item = receiver.recv().await?;
        Some((item, receiver))
    });
    (sender, body)
}
