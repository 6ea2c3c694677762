use super::*;
use greenroom_actors::port::ProviderErrorKind as Kind;
use proptest::prelude::*;

#[test]
fn text_and_reasoning_are_found_in_every_spelling() {
    let cases = [
        (r#"{"content":"hi"}"#, Some("hi"), None),
        (r#"{"content":"a\nb\u00e4\ud83d\ude00"}"#, Some("a\nbä😀"), None),
        (r#"{"content":""}"#, None, None),
        (r#"{"content":null,"role":"assistant"}"#, None, None),
        (r#"{"content":null,"refusal":"no"}"#, Some("no"), None),
        (r#"{"reasoning_content":"hm"}"#, None, Some("hm")),
        (r#"{"reasoning":"hm","channel":"analysis"}"#, None, Some("hm")),
        (r#"{"reasoning_content":"hm","reasoning":"hm"}"#, None, Some("hm")),
        (
            r#"{"content":"","reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]}"#,
            None,
            Some("hm"),
        ),
        (
            r#"{"reasoning":null,"reasoning_details":[{"text":"a"},{"summary":"b"},{"data":"xx"}]}"#,
            None,
            Some("ab"),
        ),
        (r#"{"reasoning":null,"reasoning_details":[]}"#, None, None),
        (r#"{"content":"b","reasoning_content":"a"}"#, Some("b"), Some("a")),
        (
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"t"}]},{"type":"text","text":"u"}]}"#,
            Some("u"),
            Some("t"),
        ),
        (
            r#"{"content":[{"type":"thinking","thinking":"t"},{"type":"reference","reference_ids":[1]}]}"#,
            None,
            Some("t"),
        ),
        (r#"{"content":"<think>a"}"#, Some("<think>a"), None),
        (r#"{"content":7}"#, None, None),
        ("{}", None, None),
        ("null", None, None),
    ];

    for (delta, text, reasoning) in cases {
        let chunk = parse(&format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#));
        assert_eq!(
            (chunk.text.as_deref(), chunk.reasoning.as_deref()),
            (text, reasoning),
            "of {delta}"
        );
        assert_eq!(
            (chunk.ending, chunk.usage, chunk.error, chunk.tools.len()),
            (None, None, None, 0)
        );
    }
}

#[test]
fn chunks_without_choices_say_nothing() {
    for json in [
        r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{}]}"#,
        r#"{"choices":null,"usage":null,"error":null,"x_groq":{"id":"req_1"}}"#,
        "{}",
    ] {
        assert_eq!(parse(json), Chunk::default(), "of {json}");
    }
}

#[test]
fn other_choices_are_left_out() {
    let json = r#"{"choices":[{"index":1,"delta":{"content":"b"}},{"delta":{"content":"a"}}]}"#;

    assert_eq!(parse(json).text.as_deref(), Some("a"));
}

#[test]
fn tool_calls_are_told_apart_by_choice_index_and_id() {
    let tool =
        |choice, index, id: Option<&str>| ToolDelta { choice, index, id: id.map(str::to_owned) };
    let cases = [
        (
            r#"{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{"}},{"index":1}]}}"#,
            vec![tool(0, Some(0), Some("a")), tool(0, Some(1), None)],
        ),
        (
            r#"{"index":2,"delta":{"content":"left out","tool_calls":[{"id":"","index":0}]}}"#,
            vec![tool(2, Some(0), None)],
        ),
        (
            r#"{"delta":{"function_call":{"name":"f"},"tool_calls":null}}"#,
            vec![tool(0, None, None)],
        ),
        (r#"{"delta":{"tool_calls":[],"function_call":null}}"#, Vec::new()),
        (r#"{"delta":{"tool_calls":"odd"}}"#, Vec::new()),
    ];

    for (choice, expected) in cases {
        let chunk = parse(&format!(r#"{{"choices":[{choice}]}}"#));
        assert_eq!((chunk.chars() > 0, chunk.text), (!expected.is_empty(), None), "of {choice}");
        assert_eq!(chunk.tools, expected, "of {choice}");
    }
}

#[test]
fn content_is_counted_in_characters() {
    let json = r#"{"choices":[{"delta":{"content":"äö","reasoning":"日本語"}}]}"#;

    assert_eq!(parse(json).chars(), 5);
    assert_eq!(parse("{}").chars(), 0);
}

#[test]
fn reasons_to_finish_are_mapped() {
    let cases = [
        ("null", None),
        (r#""""#, None),
        (r#""stop""#, Some(Ending::Finish(Finish::Stop))),
        (r#""length""#, Some(Ending::Finish(Finish::Length))),
        (r#""content_filter""#, Some(Ending::Finish(Finish::ContentFilter))),
        (r#""tool_calls""#, Some(Ending::Finish(Finish::Stop))),
        (r#""function_call""#, Some(Ending::Finish(Finish::Stop))),
        (r#""never heard of""#, Some(Ending::Unknown)),
        (r#""error""#, Some(Ending::Failed)),
        (r#""insufficient_system_resource""#, Some(Ending::Failed)),
    ];

    for (reason, expected) in cases {
        let json = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":{reason}}}]}}"#);
        assert_eq!(parse(&json).ending, expected, "of {reason}");
    }
}

#[test]
fn usage_is_found_in_every_spelling() {
    let cases = [
        (
            r#""usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#,
            Some((3, 4, 0, 0)),
        ),
        (r#""usage":{"prompt_tokens":3,"completion_tokens":4}"#, Some((3, 4, 0, 0))),
        (
            r#""x_groq":{"id":"r","usage":{"queue_time":0.1,"prompt_tokens":3,"completion_tokens":4}}"#,
            Some((3, 4, 0, 0)),
        ),
        (
            r#""usage":null,"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":4}}"#,
            Some((3, 4, 0, 0)),
        ),
        // xAI: reasoning is in the total alone.
        (
            r#""usage":{"prompt_tokens":12,"completion_tokens":2,"total_tokens":354,"prompt_tokens_details":{"cached_tokens":11},"completion_tokens_details":{"reasoning_tokens":340}}"#,
            Some((12, 342, 11, 340)),
        ),
        (
            r#""usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":5}"#,
            Some((9, 1, 5, 0)),
        ),
        (
            r#""usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":null}"#,
            Some((9, 1, 0, 0)),
        ),
        (r#""usage":{"prompt_tokens":-1,"completion_tokens":"x"}"#, None),
        (r#""usage":{"total_tokens":5}"#, None),
        (r#""usage":[]"#, None),
        (
            r#""usage":{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615}"#,
            Some((u64::MAX, u64::MAX, 0, 0)),
        ),
    ];

    for (field, expected) in cases {
        let usage = parse(&format!("{{{field}}}")).usage;
        let numbers =
            usage.map(|u| (u.input_tokens, u.output_tokens, u.cached_tokens, u.reasoning_tokens));
        assert_eq!(numbers, expected, "of {field}");
        assert!(usage.is_none_or(|usage| usage.source == UsageSource::Provider));
    }
}

#[test]
fn an_error_beside_choices_is_found() {
    let json = r#"{"error":{"code":400,"message":"Token limit reached"},"choices":[{"delta":{"content":"x"}}]}"#;
    let chunk = parse(json);

    assert_eq!(chunk.text.as_deref(), Some("x"));
    assert_eq!(chunk.error.unwrap().into_fault().kind, Kind::Rejected);
    assert_eq!(parse(r#"{"error":"overloaded"}"#).error.unwrap().message, "overloaded");
}

#[test]
fn what_is_no_chunk_is_refused() {
    for json in
        ["", "ping", "[1]", "{\"choices\":", r#"{"choices":5}"#, r#"{"choices":[{"delta":[7]}]}"#]
    {
        assert!(Chunk::parse(json.as_bytes()).is_err(), "of {json}");
    }
}

#[test]
fn bytes_that_are_no_utf8_become_replacement_characters() {
    let chunk = Chunk::parse(b"{\"choices\":[{\"delta\":{\"content\":\"a\xE2\x82b\"}}]}").unwrap();

    assert_eq!(chunk.text.as_deref(), Some("a\u{FFFD}b"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_text_survives(text in "\\PC{1,40}", reasoning in "(?s).{1,10}") {
        let json = serde_json::json!({
            "choices": [{"delta": {"content": text, "reasoning": reasoning}, "index": 0}]
        });
        let chunk = Chunk::parse(json.to_string().as_bytes()).unwrap();

        prop_assert_eq!(chunk.text, Some(text));
        prop_assert_eq!(chunk.reasoning, Some(reasoning));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), json in "[{}\\[\\]\":,a-z0-9]{0,64}") {
        let _ = Chunk::parse(&bytes);
        let _ = Chunk::parse(json.as_bytes());
    }
}

fn parse(json: &str) -> Chunk {
    Chunk::parse(json.as_bytes()).unwrap()
}
