//! Answers of the hub: what is read lies within its bounds and reads back the same with words around
//! it, and what is wrong is said in few words.
#![no_main]

use greenroom_actors::run::{
    artifact::check_path,
    hub::{Decision, Next, PLAN_BYTES_MAX, parse, plan_text},
};
use greenroom_protocol::plan::{Intent, QUESTIONS_MAX, SPEC_BYTES_MAX};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// A decision as an answer has it.
fn written(decision: &Decision) -> Value {
    let Decision { intent, complexity, confidence, next } = decision;
    let mut answer =
        json!({ "intent": intent, "complexity": complexity, "confidence": confidence });
    match next {
        Next::Reply(text) => {
            assert!(!intent.writes() && !text.is_empty());
            answer["response"] = json!(text);
        }
        Next::Questions(text, questions) => {
            assert!(*intent == Intent::Ambiguous && (1..=QUESTIONS_MAX).contains(&questions.len()));
            answer["response"] = json!(text);
            answer["questions"] = json!(questions);
        }
        Next::Spec(spec) => {
            assert!(intent.writes() && !spec.overview.is_empty());
            assert!(json!(spec).to_string().len() <= SPEC_BYTES_MAX);
            assert!(spec.files.iter().all(|file| check_path(&file.path).is_ok()));
            assert!(plan_text(spec).len() <= PLAN_BYTES_MAX);
            answer["spec"] = json!(spec);
        }
        Next::Answer => assert!(matches!(intent, Intent::Review | Intent::Explain)),
    }
    answer
}

fn is_clean(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')),
        Value::Array(items) => items.iter().all(is_clean),
        Value::Object(fields) => fields.values().all(is_clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

fuzz_target!(|answer: &str| {
    match parse(answer) {
        Ok(decision) => {
            let answer = written(&decision);
            assert!(is_clean(&answer));
            assert_eq!(parse(&answer.to_string()).as_ref(), Ok(&decision));
            let around = format!("<think>{{\"intent\": 7}}</think>\n```json\n{answer:#}\n``` {{");
            assert_eq!(parse(&around), Ok(decision));
        }
        Err(error) => assert!(error.to_string().len() < 1024, "{error}"),
    }
});
