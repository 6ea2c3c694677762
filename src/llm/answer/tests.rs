use super::*;
use crate::llm::recordings::{bodies, chunks, framings};
use serde_json::Value;

#[test]
fn recordings_give_the_same_deltas_however_they_are_framed_and_cut() {
    for (name, chunks) in chunks() {
        let expected = by_values(&chunks);
        for framing in framings() {
            let bytes = framing.events(&chunks).concat();
            let whole = read([bytes.as_slice()]).unwrap();
            assert_eq!(summary(&whole), expected, "{name} {framing:?}");
            for size in [1, 7, 1460] {
                let deltas = read(bytes.chunks(size)).unwrap();
                assert_eq!(deltas, whole, "{name} {framing:?} in reads of {size}");
            }
        }
    }
}

/// Cutting a recording in two at each of its bytes would be quadratic. An event knows nothing of
/// the events before the last one, so it is enough to cut pairs of neighbours: the first, the
/// middle and the last chunk of each recording, each with the end mark behind.
#[test]
fn recordings_give_the_same_deltas_cut_in_two_at_every_byte() {
    for (name, chunks) in chunks() {
        let starts = [0, chunks.len() / 2, chunks.len() - 1];
        let windows: Vec<_> =
            starts.iter().filter_map(|start| chunks.get(*start..=*start)).collect();
        for (framing, window) in framings().flat_map(|f| windows.iter().map(move |w| (f, *w))) {
            let bytes = framing.events(window).concat();
            let whole = read([bytes.as_slice()]);
            for at in 1..bytes.len() {
                let (first, second) = bytes.split_at(at);
                assert_eq!(read([first, second]), whole, "{name} {framing:?} cut at {at}");
            }
        }
    }
}

#[test]
fn recordings_end_with_the_numbers_that_the_providers_gave() {
    let expected = [
        ("azure-model-router.1.chunks.txt", (15, 78, 0, 64), Finish::Stop, 0),
        ("deepseek-reasoning.chunks.txt", (18, 219, 0, 205), Finish::Stop, 0),
        ("deepseek-text.chunks.txt", (13, 400, 0, 0), Finish::Length, 0),
        ("deepseek-tool-call.chunks.txt", (339, 83, 320, 39), Finish::Stop, 1),
        ("groq-reasoning.chunks.txt", (17, 1107, 0, 963), Finish::Stop, 0),
        ("groq-text.chunks.txt", (45, 662, 0, 0), Finish::Stop, 0),
        ("groq-tool-call.chunks.txt", (210, 15, 0, 0), Finish::Stop, 1),
        ("mistral-incremental-tool-call.chunks.txt", (171, 14, 128, 0), Finish::Stop, 1),
        ("mistral-text.chunks.txt", (13, 8, 0, 0), Finish::Stop, 0),
        ("xai-text.chunks.txt", (12, 342, 11, 340), Finish::Stop, 0),
        ("xai-tool-call.chunks.txt", (307, 253, 306, 227), Finish::Stop, 1),
    ];
    let recordings = chunks();
    for (name, (input, output, cached, reasoning), finish, tool_calls) in expected {
        let Some((_, chunks)) = recordings.iter().find(|recording| recording.0 == name) else {
            continue;
        };
        let mut answer = Answer::new(Api::OpenAi);
        let mut deltas = VecDeque::new();
        let framing = framings().next().unwrap();
        answer.feed(&framing.events(chunks).concat(), &mut deltas).unwrap();

        let usage = Usage {
            input_tokens: input,
            output_tokens: output,
            cached_tokens: cached,
            reasoning_tokens: reasoning,
            source: UsageSource::Provider,
        };
        let end: Vec<_> = deltas.into_iter().rev().take(2).collect();
        assert_eq!(end, [Delta::Finish(finish), Delta::Usage(usage)], "{name}");
        assert_eq!(answer.tool_calls(), tool_calls, "{name}");
        assert_eq!(answer.phase(), Phase::Done, "{name}");
    }
}

#[test]
fn an_error_in_mid_stream_wins_over_a_finish_before_it() {
    for body in bodies("test_openrouter_stream_error.cassette.yaml") {
        for framed in in_every_framing(&body) {
            for size in [1, 64, framed.len()] {
                let (deltas, result) = read_all(framed.chunks(size));

                let fault = result.unwrap_err();
                assert_eq!(fault.kind, Kind::Rejected);
                assert!(fault.message.contains("Token limit reached"), "{}", fault.message);
                let usage = Usage {
                    input_tokens: 43,
                    output_tokens: 10,
                    reasoning_tokens: 11,
                    source: UsageSource::ProviderPartial,
                    ..Usage::default()
                };
                let reasoning = |text: &str| Delta::Reasoning(text.to_owned());
                let expected = [
                    reasoning("We need"),
                    reasoning(" to respond to a greeting. The user"),
                    Delta::Usage(usage),
                ];
                assert_eq!(deltas, expected);
            }
        }
    }
}

#[test]
fn an_event_named_error_ends_the_answer_with_its_class() {
    let bodies = bodies("test_tool_use_failed_error_streaming.cassette.yaml");
    let mut results = Vec::new();
    for body in &bodies {
        let (deltas, result) = read_all([body.as_bytes()]);
        assert!(deltas.iter().any(|delta| matches!(delta, Delta::Reasoning(_))));
        for framed in in_every_framing(body) {
            assert_eq!(read_all(framed.chunks(1)), (deltas.clone(), result.clone()));
        }
        results.push((deltas.back().cloned(), result.map_err(|fault| fault.kind)));
    }
    if bodies.is_empty() {
        return;
    }
    assert_eq!(results[0].1, Err(Kind::Rejected), "the first exchange fails");
    let stop = Some(Delta::Finish(Finish::Stop));
    assert_eq!(results[1..], [(stop.clone(), Ok(())), (stop, Ok(()))], "the others end well");
}

#[test]
fn an_answer_without_the_end_mark_is_complete_once_the_model_stopped() {
    let text =
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n";

    assert_eq!(
        read([text.as_bytes()]).unwrap(),
        [Delta::Text("a".into()), Delta::Finish(Finish::Stop)]
    );
}

#[test]
fn an_answer_that_ends_before_the_model_stopped_is_broken() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
    let (deltas, result) = read_all([text.as_bytes()]);

    assert_eq!(deltas, [Delta::Text("a".into())]);
    assert_eq!(result.unwrap_err().kind, Kind::Broken);
}

#[test]
fn the_end_mark_alone_is_no_answer_but_ends_one() {
    for mark in ["data:[DONE]\n\n", "data: [DONE] \n\n"] {
        assert_eq!(read([mark.as_bytes()]).unwrap_err().kind, Kind::Broken, "nothing was said");
        let text = format!("{}{mark}", chunk(r#"{"delta":{"content":"a"}}"#, ""));
        let expected = [Delta::Text("a".into()), Delta::Finish(Finish::Stop)];
        assert_eq!(read([text.as_bytes()]).unwrap(), expected);
    }
}

#[test]
fn usage_on_the_way_is_partial_and_the_last_one_wins() {
    let usage = |n: u64| format!(r#","usage":{{"prompt_tokens":5,"completion_tokens":{n}}}"#);
    let of = |output_tokens, source| {
        Delta::Usage(Usage { input_tokens: 5, output_tokens, source, ..Usage::default() })
    };
    let text = [
        chunk(r#"{"delta":{"content":"a"}}"#, &usage(1)),
        chunk(r#"{"delta":{"content":""}}"#, &usage(1)),
        chunk(r#"{"delta":{"content":"b"},"finish_reason":"stop"}"#, &usage(2)),
        chunk("", &usage(3)),
        "data: [DONE]\n\n".to_owned(),
        chunk("", &usage(9)),
    ]
    .concat();

    let expected = [
        Delta::Text("a".into()),
        of(1, UsageSource::ProviderPartial),
        Delta::Text("b".into()),
        of(3, UsageSource::Provider),
        Delta::Finish(Finish::Stop),
    ];
    assert_eq!(read([text.as_bytes()]).unwrap(), expected);
}

#[test]
fn what_is_no_content_leaves_the_answer_in_its_opening() {
    let mut answer = Answer::new(Api::OpenAi);
    let mut deltas = VecDeque::new();
    for text in [
        ": ping\n\n".to_owned(),
        "event: ping\ndata: whatever\n\n".to_owned(),
        "data:\n\n".to_owned(),
        chunk("", ""),
        chunk(r#"{"delta":{"role":"assistant","content":""}}"#, ""),
    ] {
        assert_eq!(answer.feed(text.as_bytes(), &mut deltas), Ok(0), "of {text}");
        assert_eq!(answer.phase(), Phase::Opening);
    }
    let tool = chunk(r#"{"delta":{"tool_calls":[{"index":0}]}}"#, "");
    let chars = answer.feed(tool.as_bytes(), &mut deltas).unwrap();
    assert!(chars > 0, "a tool call is content");
    assert_eq!(answer.phase(), Phase::Content);
    assert!(deltas.is_empty());
}

#[test]
fn noise_breaks_an_answer_but_not_a_complete_one() {
    let noise = "data: <html>\n\n";
    let stop = chunk(r#"{"delta":{"content":"a"},"finish_reason":"stop"}"#, "");

    assert_eq!(read([noise.as_bytes()]).unwrap_err().kind, Kind::Broken);
    assert_eq!(read([stop.as_bytes(), noise.as_bytes()]).unwrap().len(), 2);
    let long = vec![b'x'; 2 * sse::LINE_BYTES_MAX];
    assert_eq!(read([long.as_slice()]).unwrap_err().kind, Kind::Broken);
    assert_eq!(read([stop.as_bytes(), &long]).unwrap().len(), 2);
}

#[test]
fn thoughts_in_tags_are_reasoning_however_the_chunks_cut_them() {
    let pieces = ["\n<th", "ink>a", "b</", "think>\n", "the tag <think> opens"];
    let chunks: String = pieces
        .map(|piece| serde_json::json!({ "delta": { "content": piece } }).to_string())
        .map(|choice| chunk(&choice, ""))
        .concat();
    let whole = format!("{chunks}data: [DONE]\n\n");
    let reasoning = |text: &str| Delta::Reasoning(text.to_owned());
    let text = |text: &str| Delta::Text(text.to_owned());

    let mut expected = vec![reasoning("a"), reasoning("b"), text("\n"), text(pieces[4])];
    assert_eq!(read_all([chunks.as_bytes()]).0, expected, "also where the answer breaks off");
    expected.push(Delta::Finish(Finish::Stop));
    assert_eq!(read([whole.as_bytes()]).unwrap(), expected);
}

#[test]
fn what_was_held_back_as_a_tag_is_not_lost() {
    for (piece, expected) in
        [("<thi", Delta::Text("<thi".into())), ("<think></th", Delta::Reasoning("</th".into()))]
    {
        let choice = serde_json::json!({ "delta": { "content": piece } });
        let text = chunk(&choice.to_string(), "");
        let (deltas, result) = read_all([text.as_bytes()]);
        assert_eq!((deltas, result.is_err()), (VecDeque::from([expected.clone()]), true));
        let deltas = read([format!("{text}data: [DONE]\n\n").as_bytes()]).unwrap();
        assert_eq!(deltas, [expected, Delta::Finish(Finish::Stop)]);
    }
}

#[test]
fn a_server_that_tells_reasoning_apart_has_tags_in_its_text() {
    let text = [
        chunk(r#"{"delta":{"reasoning":"hm"}}"#, ""),
        chunk(r#"{"delta":{"content":"<think>"},"finish_reason":"stop"}"#, ""),
    ]
    .concat();

    let expected =
        [Delta::Reasoning("hm".into()), Delta::Text("<think>".into()), Delta::Finish(Finish::Stop)];
    assert_eq!(read([text.as_bytes()]).unwrap(), expected);
}

#[test]
fn an_unknown_finish_reason_is_a_stop_and_is_noted() {
    for (reason, is_unknown) in [("stop", false), ("because", true)] {
        let choice = format!(r#"{{"delta":{{"content":"a"}},"finish_reason":"{reason}"}}"#);
        let mut answer = Answer::new(Api::OpenAi);
        let mut deltas = VecDeque::new();
        answer.feed(chunk(&choice, "").as_bytes(), &mut deltas).unwrap();
        answer.end(Fault::new(Kind::Broken, "end"), &mut deltas).unwrap();

        assert_eq!(deltas.pop_back(), Some(Delta::Finish(Finish::Stop)));
        assert_eq!(answer.has_unknown_reason(), is_unknown);
    }
}

#[test]
fn lines_of_ollama_give_the_same_deltas_however_they_are_cut() {
    let body = concat!(
        r#"{"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
        "\n",
        r#"{"message":{"role":"assistant","content":"ä"},"done":false}"#,
        "\r\n\n",
        r#"{"message":{"role":"assistant","content":"b"},"done":false}"#,
        "\n",
        r#"{"message":{"content":""},"done":true,"done_reason":"length","prompt_eval_count":5,"eval_count":3}"#,
        "\n",
    );
    let read = |size: usize, body: &str| {
        let mut answer = Answer::new(Api::Ollama);
        let mut deltas = VecDeque::new();
        let fed = body
            .as_bytes()
            .chunks(size)
            .try_for_each(|part| answer.feed(part, &mut deltas).map(drop));
        let result = fed.and_then(|()| answer.end(Fault::new(Kind::Broken, "end"), &mut deltas));
        (Vec::from(deltas), result.map_err(|fault| fault.kind))
    };
    let source = UsageSource::Provider;
    let usage = Usage { input_tokens: 5, output_tokens: 3, source, ..Usage::default() };
    let expected = vec![
        Delta::Reasoning("hm".into()),
        Delta::Text("ä".into()),
        Delta::Text("b".into()),
        Delta::Usage(usage),
        Delta::Finish(Finish::Length),
    ];

    for size in [1, 7, body.len()] {
        assert_eq!(read(size, body), (expected.clone(), Ok(())), "in reads of {size}");
    }
    let cut = body.split_at(body.rfind(r#"{"message""#).unwrap()).0;
    assert_eq!(read(9, cut), (expected[..3].to_vec(), Err(Kind::Broken)), "without its last line");
    let failed = format!("{cut}{{\"error\":\"model runner has crashed\"}}\n");
    assert_eq!(read(9, &failed), (expected[..3].to_vec(), Err(Kind::Failed)));
    assert_eq!(read(9, "<html>\n").1, Err(Kind::Broken));
}

#[test]
fn a_finish_reason_that_means_failure_fails() {
    let text = chunk(r#"{"delta":{"content":"a"},"finish_reason":"error"}"#, "");

    assert_eq!(read([text.as_bytes()]).unwrap_err().kind, Kind::Failed);
}

/// One chunk with one choice, or none, and further fields.
fn chunk(choice: &str, fields: &str) -> String {
    format!("data: {{\"choices\":[{choice}]{fields}}}\n\n")
}

fn in_every_framing(body: &str) -> Vec<Vec<u8>> {
    ["\n", "\r\n", "\r"].map(|end| body.replace('\n', end).into_bytes()).to_vec()
}

fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Delta>, Fault> {
    let (deltas, result) = read_all(parts);
    result.map(|()| deltas.into())
}

/// Reads up to the end of the connection.
fn read_all<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (VecDeque<Delta>, Result<(), Fault>) {
    let mut answer = Answer::new(Api::OpenAi);
    let mut deltas = VecDeque::new();
    for part in parts {
        if let Err(fault) = answer.feed(part, &mut deltas) {
            return (deltas, Err(fault));
        }
    }
    let result = answer.end(Fault::new(Kind::Broken, "end"), &mut deltas);
    (deltas, result)
}

/// Text, reasoning and end of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    text: String,
    reasoning: String,
    deltas: usize,
}

fn summary(deltas: &[Delta]) -> Summary {
    let mut summary = Summary { text: String::new(), reasoning: String::new(), deltas: 0 };
    for delta in deltas {
        match delta {
            Delta::Text(text) => summary.text.push_str(text),
            Delta::Reasoning(text) => summary.reasoning.push_str(text),
            Delta::Usage(_) | Delta::Finish(_) => continue,
        }
        summary.deltas += 1;
    }
    summary
}

/// The same, read from each line's JSON without any of the code under test.
fn by_values(chunks: &[String]) -> Summary {
    let mut summary = Summary { text: String::new(), reasoning: String::new(), deltas: 0 };
    for chunk in chunks {
        let chunk: Value = serde_json::from_str(chunk).unwrap();
        let delta = &chunk["choices"][0]["delta"];
        for name in ["content", "reasoning", "reasoning_content"] {
            let text = delta[name].as_str().unwrap_or_default();
            let is_text = name == "content";
            if is_text { &mut summary.text } else { &mut summary.reasoning }.push_str(text);
            summary.deltas += usize::from(!text.is_empty());
        }
    }
    summary
}
