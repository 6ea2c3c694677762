//! What an answer of the hub says.

use super::{ANSWER_BYTES_MAX, HubError, field::Field, object, spec};
use greenroom_protocol::plan::{Complexity, Intent, QUESTIONS_MAX, Question, Spec};
use serde_json::{Map, Value};

/// Longest words to the user, in bytes.
const RESPONSE_BYTES_MAX: usize = 8 * 1024;
/// Longest question, context of one, and answer to choose, in bytes.
const QUESTION_BYTES_MAX: usize = 500;
const OPTION_BYTES_MAX: usize = 200;
/// Most answers to choose from.
const OPTIONS_MAX: usize = 8;
/// How sure an answer is that does not say so, in percent.
const CONFIDENCE_UNSAID: u8 = 50;

const INTENTS: [Intent; 7] = [
    Intent::CodeGeneration,
    Intent::FollowUp,
    Intent::Conversation,
    Intent::Discussion,
    Intent::Review,
    Intent::Explain,
    Intent::Ambiguous,
];
const COMPLEXITIES: [Complexity; 3] =
    [Complexity::Simple, Complexity::Moderate, Complexity::Complex];

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What is wanted; never [`Intent::Unknown`].
    pub intent: Intent,
    /// How much work it is.
    pub complexity: Complexity,
    /// How sure that is, 0 to 100.
    pub confidence: u8,
    /// What comes next.
    pub next: Next,
}

/// What comes after the hub's call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// These words to the user, and no further call.
    Reply(String),
    /// An introduction, then 1 to [`QUESTIONS_MAX`] questions to the user.
    Questions(String, Vec<Question>),
    /// This is built, once it may be: at most
    /// [`SPEC_BYTES_MAX`](greenroom_protocol::plan::SPEC_BYTES_MAX) of JSON, whose paths a project
    /// may hold.
    Spec(Box<Spec>),
    /// A review or an explanation by the ordinary call, which sees what is in the files.
    Answer,
}

impl Decision {
    /// Whether a further call of a model follows, at once or after an approval.
    #[must_use]
    pub const fn needs_call(&self) -> bool {
        matches!(self.next, Next::Spec(_) | Next::Answer)
    }
}

/// Reads an answer. What stands around its object and fields that nobody knows are ignored, and so
/// are fields that its intent has no use for.
///
/// # Errors
/// [`HubError`]: the first thing that keeps it from being used.
pub fn parse(answer: &str) -> Result<Decision, HubError> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(HubError::TooLong { bytes: answer.len() });
    }
    let object = object::find(answer)?;
    let intent = Field::of(&object, "intent").choice(&INTENTS, Intent::name)?;
    let next = match intent {
        Intent::CodeGeneration | Intent::FollowUp => {
            Next::Spec(Box::new(spec::read(&Field::of(&object, "spec"), intent)?))
        }
        Intent::Ambiguous => questions(&object)?,
        Intent::Conversation
        | Intent::Discussion
        | Intent::Review
        | Intent::Explain
        | Intent::Unknown => reply(&object, intent)?,
    };
    let complexity = Field::of(&object, "complexity");
    // It matters only where something is built.
    let complexity = match complexity.choice(&COMPLEXITIES, Complexity::name) {
        Err(_) if !intent.writes() => Complexity::Simple,
        complexity => complexity?,
    };
    Ok(Decision { intent, complexity, confidence: confidence(&object), next })
}

fn reply(object: &Map<String, Value>, intent: Intent) -> Result<Next, HubError> {
    let response = Field::of(object, "response");
    let text = response.lines(RESPONSE_BYTES_MAX)?;
    if !text.is_empty() {
        return Ok(Next::Reply(text));
    }
    let sees_files = matches!(intent, Intent::Review | Intent::Explain);
    if sees_files { Ok(Next::Answer) } else { Err(missing(&response, intent)) }
}

fn questions(object: &Map<String, Value>) -> Result<Next, HubError> {
    let field = Field::of(object, "questions");
    let mut questions = Vec::new();
    for item in field.items(QUESTIONS_MAX)? {
        let question = question(&item)?;
        questions.extend((!question.question.is_empty()).then_some(question));
    }
    let text = Field::of(object, "response").lines(RESPONSE_BYTES_MAX)?;
    match questions.first() {
        None => Err(missing(&field, Intent::Ambiguous)),
        Some(first) if text.is_empty() => Ok(Next::Questions(first.question.clone(), questions)),
        Some(_) => Ok(Next::Questions(text, questions)),
    }
}

fn question(item: &Field<'_>) -> Result<Question, HubError> {
    if item.is_text() {
        return Ok(Question { question: item.line(QUESTION_BYTES_MAX)?, ..Question::default() });
    }
    let item = item.clone().object()?;
    Ok(Question {
        question: item.field("question").line(QUESTION_BYTES_MAX)?,
        context: item.field("context").line(QUESTION_BYTES_MAX)?,
        options: item.field("options").texts(OPTIONS_MAX, OPTION_BYTES_MAX)?,
    })
}

/// In percent, within 0 and 100. A fraction of one is what models write where they do not heed the
/// unit.
fn confidence(object: &Map<String, Value>) -> u8 {
    let Some(Value::Number(said)) = Field::of(object, "confidence").value() else {
        return CONFIDENCE_UNSAID;
    };
    if let Some(whole) = said.as_i64() {
        return u8::try_from(whole.clamp(0, 100)).unwrap_or(100);
    }
    let said = said.as_f64().unwrap_or_default();
    let percent = if said <= 1.0 { said * 100.0 } else { said };
    // Whole percents up to this one: no cast of a float.
    (0..=100_u8).rev().find(|whole| f64::from(*whole) <= percent + 0.5).unwrap_or(0)
}

pub(super) fn missing(field: &Field<'_>, intent: Intent) -> HubError {
    HubError::Missing { field: field.path(), intent: intent.name() }
}
