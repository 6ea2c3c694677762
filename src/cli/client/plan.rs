//! What is said before anything is spent, as lines for a terminal: what a request was understood
//! as, what is to be built, what that costs, and what is asked. Pure.

use crate::cli::output::clean;
use greenroom_protocol::{
    credits::amount_text,
    event::Event,
    plan::{Feature, FileAction, Intent, PlannedFile, Priority, Question, Spec, Stack},
};

/// The lines of an event of planning; none for any other.
pub(super) fn lines(event: &Event) -> Vec<String> {
    let lines = if let Event::RunClassified { intent, complexity, confidence, .. } = event {
        let what = intent_text(*intent);
        vec![format!("understood as {what}, {} ({confidence} % sure)", complexity.name())]
    } else if let Event::RunPlanned { spec, .. } = event {
        spec_lines(spec)
    } else if let Event::RunQuoted { cost, hold, approved, .. } = event {
        let (cost, hold) = (amount_text(*cost), amount_text(*hold));
        // Where it was not approved, what is asked next names the cost.
        vec![if *approved {
            format!("it costs about {cost} credits, {hold} are reserved; approved, as it is little")
        } else {
            format!("{hold} credits will be reserved")
        }]
    } else if let Event::InputRequested { text, questions, .. } = event {
        let asked = questions.iter().enumerate();
        let asked = asked.flat_map(|(at, question)| question_lines(at + 1, question));
        std::iter::once(text.clone()).chain(asked).collect()
    } else {
        Vec::new()
    };
    lines.iter().map(|line| clean(line).replace('\n', " ")).collect()
}

const fn intent_text(intent: Intent) -> &'static str {
    match intent {
        Intent::CodeGeneration => "something new to be built",
        Intent::FollowUp => "a change of what is there",
        Intent::Conversation => "conversation",
        Intent::Discussion => "a discussion",
        Intent::Review => "a review",
        Intent::Explain => "a question about what is there",
        Intent::Ambiguous => "not clear yet",
        Intent::Unknown => "something that this client does not know",
    }
}

fn spec_lines(spec: &Spec) -> Vec<String> {
    let mut lines = vec![format!("plan: {}", spec.overview)];
    let Stack { frontend, backend, ai_services } = &spec.stack;
    let stack: Vec<_> = frontend.iter().chain(backend).chain(ai_services).cloned().collect();
    if !stack.is_empty() {
        lines.push(format!("  built with {}", stack.join(", ")));
    }
    lines.extend(spec.features.iter().map(feature_line));
    lines.extend(spec.files.iter().map(file_line));
    lines.extend(spec.constraints.iter().map(|text| format!("  heeds: {text}")));
    lines.extend(spec.acceptance.iter().map(|text| format!("  done when: {text}")));
    lines.extend(spec.risks.iter().map(|text| format!("  risk: {text}")));
    lines
}

fn feature_line(Feature { name, description, priority }: &Feature) -> String {
    let much = match priority {
        Priority::High => ", a must",
        Priority::Medium => "",
        Priority::Low => ", if it fits",
    };
    let what = if description.is_empty() { String::new() } else { format!(": {description}") };
    format!("  * {name}{much}{what}")
}

fn file_line(PlannedFile { path, action, purpose }: &PlannedFile) -> String {
    let sign = match action {
        FileAction::Create => '+',
        FileAction::Modify => '~',
        FileAction::Delete => '-',
    };
    let what = if purpose.is_empty() { String::new() } else { format!("  {purpose}") };
    format!("  {sign} {path}{what}")
}

fn question_lines(number: usize, question: &Question) -> Vec<String> {
    let mut lines = vec![format!("{number}. {}", question.question)];
    if !question.context.is_empty() {
        lines.push(format!("   {}", question.context));
    }
    let options = question.options.iter().enumerate();
    lines.extend(options.map(|(at, option)| format!("   ({}) {option}", at + 1)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::{
        credits::Price,
        id::RunId,
        plan::{Complexity, InputKind},
    };
    use uuid::Uuid;

    const RUN: RunId = RunId::new(Uuid::nil());

    #[test]
    fn a_plan_reads_as_what_is_built_and_what_it_costs() {
        let feature = |name: &str, description: &str, priority| Feature {
            name: name.into(),
            description: description.into(),
            priority,
        };
        let file = |path: &str, action, purpose: &str| PlannedFile {
            path: path.into(),
            action,
            purpose: purpose.into(),
        };
        let spec = Spec {
            overview: "A shop\u{1b}[2J\nfor tea".into(),
            stack: Stack { frontend: vec!["HTML".into(), "CSS".into()], ..Stack::default() },
            features: vec![
                feature("Cart", "keeps what is chosen", Priority::High),
                feature("Search", "", Priority::Low),
            ],
            files: vec![
                file("index.html", FileAction::Create, "the page"),
                file("old.js", FileAction::Delete, ""),
            ],
            ..Spec::default()
        };
        let (intent, complexity) = (Intent::CodeGeneration, Complexity::Simple);
        let price = Price::default();
        let events = [
            Event::RunClassified { run: RUN, intent, complexity, confidence: 92 },
            Event::RunPlanned { run: RUN, spec: Box::new(spec) },
            Event::RunQuoted { run: RUN, price, cost: 8_600_000, hold: 9_000_000, approved: false },
        ];
        let text: Vec<_> = events.iter().flat_map(lines).collect();
        assert_eq!(
            text,
            [
                "understood as something new to be built, simple (92 % sure)",
                "plan: A shop[2J for tea",
                "  built with HTML, CSS",
                "  * Cart, a must: keeps what is chosen",
                "  * Search, if it fits",
                "  + index.html  the page",
                "  - old.js",
                "9 credits will be reserved",
            ]
        );
    }

    #[test]
    fn questions_are_numbered_and_so_are_their_options() {
        let question = Question {
            question: "For whom?".into(),
            context: "It changes the words.".into(),
            options: vec!["a team".into(), "me".into()],
        };
        let asked = Event::InputRequested {
            request: 1,
            run: RUN,
            kind: InputKind::Question,
            text: "Tell me more.".into(),
            questions: vec![question],
        };
        let expected = [
            "Tell me more.",
            "1. For whom?",
            "   It changes the words.",
            "   (1) a team",
            "   (2) me",
        ];
        assert_eq!(lines(&asked), expected);
    }
}
