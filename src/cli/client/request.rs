//! What a run asks, and what becomes of the words with which somebody answers. Pure.

pub(super) use greenroom_protocol::client::Request;
use greenroom_protocol::{
    event::Event,
    method::InputRespond,
    plan::{InputKind, Question},
};

/// How a request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Go on, with these words.
    Accept(String),
    /// Nothing comes of it.
    Decline,
}

impl Verdict {
    pub(super) fn to(self, request: u32) -> InputRespond {
        match self {
            Self::Accept(text) => InputRespond { request, accept: true, text },
            Self::Decline => InputRespond { request, accept: false, text: String::new() },
        }
    }
}

/// The request that an event makes.
pub(super) fn of(event: &Event) -> Option<Request> {
    let Event::InputRequested { request, run, kind, text, questions } = event else { return None };
    let (text, questions) = (text.clone(), questions.clone());
    Some(Request { number: *request, run: *run, kind: *kind, text, questions })
}

/// The event that makes a request.
pub(super) fn event(request: &Request) -> Event {
    let Request { number, run, kind, text, questions } = request.clone();
    Event::InputRequested { request: number, run, kind, text, questions }
}

/// What one line says to a request; none: it says something else.
pub(super) fn verdict(request: &Request, line: &str) -> Option<Verdict> {
    match (request.kind, request.questions.as_slice()) {
        (InputKind::Question, [only]) => Some(Verdict::Accept(choice(only, line))),
        (InputKind::Question, _) => Some(Verdict::Accept(line.trim().to_owned())),
        (InputKind::Plan | InputKind::Credits | InputKind::Unknown, _) => approval(line),
    }
}

/// `y`, with a remark behind it or without, or `n`.
fn approval(line: &str) -> Option<Verdict> {
    let line = line.trim();
    let (first, rest) = line.split_once([' ', ',']).unwrap_or((line, ""));
    match (first.to_ascii_lowercase().as_str(), rest) {
        ("y" | "yes", remark) => Some(Verdict::Accept(remark.trim().to_owned())),
        ("n" | "no", "") => Some(Verdict::Decline),
        _ => None,
    }
}

/// The words of an answer: a number stands for the option of that number.
pub(super) fn choice(question: &Question, line: &str) -> String {
    let line = line.trim();
    let at = line.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let option = at.and_then(|at| question.options.get(at));
    option.map_or(line, String::as_str).to_owned()
}

/// The answers to several questions as one text; none: not one was answered.
pub(super) fn joined(questions: &[Question], answers: &[String]) -> Option<String> {
    let given = questions.iter().zip(answers).filter(|(_, answer)| !answer.is_empty());
    let lines: Vec<String> = match questions {
        [_] => given.map(|(_, answer)| answer.clone()).collect(),
        _ => given.map(|(of, answer)| format!("{} {answer}", of.question)).collect(),
    };
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use greenroom_protocol::id::RunId;
    use uuid::Uuid;

    fn question(question: &str) -> Question {
        let options = vec!["a team".into(), "me".into()];
        Question { question: question.into(), options, ..Question::default() }
    }

    fn request(kind: InputKind, questions: Vec<Question>) -> Request {
        let run = RunId::new(Uuid::nil());
        Request { number: 1, run, kind, text: String::new(), questions }
    }

    #[test]
    fn a_plan_is_approved_by_y_alone_or_with_a_remark_and_declined_by_n() {
        let plan = request(InputKind::Plan, Vec::new());
        let accept = |text: &str| Some(Verdict::Accept(text.into()));
        for (line, said) in [
            ("y", accept("")),
            (" Yes ", accept("")),
            ("y, in blue", accept("in blue")),
            ("yes in blue", accept("in blue")),
            ("n", Some(Verdict::Decline)),
            ("NO", Some(Verdict::Decline)),
            ("no tables please", None),
            ("you choose", None),
            ("", None),
        ] {
            assert_eq!(verdict(&plan, line), said, "{line:?}");
        }
    }

    #[test]
    fn a_number_stands_for_its_option_and_other_words_for_themselves() {
        let asked = question("For whom?");
        for (line, answer) in
            [("2", "me"), (" 1 ", "a team"), ("3", "3"), ("0", "0"), ("my cat ", "my cat")]
        {
            assert_eq!(choice(&asked, line), answer);
        }
        let one = request(InputKind::Question, vec![asked]);
        assert_eq!(verdict(&one, "2"), Some(Verdict::Accept("me".into())));
    }

    #[test]
    fn several_answers_name_their_questions() {
        let two = [question("For whom?"), question("How many?")];
        let answers = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let both = joined(&two, &answers("me", "five"));
        assert_eq!(both.as_deref(), Some("For whom? me\nHow many? five"));
        assert_eq!(joined(&two, &answers("", "five")).as_deref(), Some("How many? five"));
        assert_eq!(joined(&two, &answers("", "")), None);
        assert_eq!(joined(&two[..1], &["me".to_owned()]).as_deref(), Some("me"));
    }
}
