//! What a call asks for, and the answer that is ready to be streamed.

use super::{
    app,
    fault::Mixture,
    http::Request,
    hub::{self, Planner},
    log::{AppCall, Call},
    model::{Behaviour, Model, ModelError},
    prompt,
    stream::Source,
    wire::Api,
};
use serde::Deserialize;
use serde_json::Value;
use std::{path::Path, rc::Rc, sync::Arc};

/// Body of a call, in either API.
#[derive(Deserialize)]
pub(super) struct Asked {
    pub(super) model: String,
    /// Ollama streams unless it is told not to.
    stream: Option<bool>,
    #[serde(default)]
    messages: Vec<Message>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// An answer that is ready to be streamed.
pub(super) struct Answer {
    pub(super) source: Source,
    /// Tokens a second; 0: as fast as the socket takes them.
    pub(super) rate: u64,
    /// Whether usage is wanted.
    pub(super) usage: bool,
    /// What the model's name wants to go wrong, once the earlier calls of the run are counted.
    pub(super) named: Option<Mixture>,
}

/// Why a request gets no stream.
pub(super) struct Unservable {
    pub(super) status: &'static str,
    pub(super) why: String,
}

impl Asked {
    /// Reads a request's body.
    pub(super) fn read(request: &Request, api: Api) -> Result<Self, Unservable> {
        let asked: Self =
            serde_json::from_slice(&request.body).map_err(|error| bad(error.to_string()))?;
        if !asked.stream.unwrap_or(api == Api::Ollama) {
            return Err(bad("only stream: true is served".into()));
        }
        Ok(asked)
    }

    /// Makes the answer; `earlier` calls of the run came before.
    pub(super) fn answer(
        &self,
        api: Api,
        earlier: usize,
        recordings: Option<&Path>,
        replay_rate: u64,
        call: &mut Call,
    ) -> Result<Answer, Unservable> {
        let unknown = |why: String| Unservable { status: "404 Not Found", why };
        let model: Model =
            self.model.parse().map_err(|error: ModelError| unknown(error.to_string()))?;
        let named = model.mixture(earlier).cloned();
        let wanted = self.stream_options.as_ref().is_some_and(|options| options.include_usage);
        let (source, rate) = match model.behaviour {
            Behaviour::Stamps { rate, count } => (Source::Stamps { left: count }, rate),
            Behaviour::App { rate, seed, planner } => {
                let hub = self.hub(&seed, planner, call).map_err(bad)?;
                (hub.map_or_else(|| self.app(seed, call).map_err(bad), Ok)?, rate)
            }
            Behaviour::Replay { file } => {
                if api == Api::Ollama {
                    return Err(bad(
                        "recordings are of OpenAI's API; call /chat/completions".into()
                    ));
                }
                (recording(recordings, &file).map_err(unknown)?, replay_rate)
            }
        };
        Ok(Answer { source, rate, usage: wanted || api == Api::Ollama, named })
    }

    /// The answer of an `app` model to the hub; none: the prompt is not the hub's.
    fn hub(&self, seed: &str, planner: Planner, call: &mut Call) -> Result<Option<Source>, String> {
        let texts = self.messages.iter().map(|message| (message.role.as_str(), message.text()));
        let asked = hub::read(&texts.collect::<Vec<_>>())?;
        call.plans = asked.is_some();
        Ok(asked.map(|asked| text(&hub::answer(planner, seed, &asked))))
    }

    /// The answer of an `app` model to a prompt of the engine.
    fn app(&self, seed: String, call: &mut Call) -> Result<Source, String> {
        let system = self.messages.iter().find(|message| message.role == "system");
        let user = self.messages.iter().rfind(|message| message.role == "user");
        let system = system.map(Message::text).unwrap_or_default();
        let user = user.map(Message::text).unwrap_or_default();
        let prompt = prompt::read(&system, &user).map_err(|error| error.to_string())?;
        let steps = app::plan(&seed, &prompt.request, &prompt.files);
        call.continues = prompt.cut_off.is_some();
        let answer = app::text(&app::rest(steps, &prompt)?, &prompt.tag);
        let source = text(&answer);
        let app =
            AppCall { seed, request: prompt.request, files: prompt.files, answer, tag: prompt.tag };
        call.app = Some(Arc::new(app));
        Ok(source)
    }
}

/// A text by its tokens.
fn text(text: &str) -> Source {
    Source::Text { text: Arc::from(text), ends: app::tokens(text).into_iter(), at: 0 }
}

impl Message {
    /// The text, also where it comes in parts.
    fn text(&self) -> String {
        match &self.content {
            Value::String(text) => text.clone(),
            Value::Array(parts) => {
                parts.iter().filter_map(|part| part.get("text")?.as_str()).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
        }
    }
}

fn bad(why: String) -> Unservable {
    Unservable { status: "400 Bad Request", why }
}

fn recording(folder: Option<&Path>, file: &str) -> Result<Source, String> {
    let folder = folder.ok_or("no folder of recordings was given")?;
    let path = folder.join(format!("{file}.chunks.txt"));
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines: Rc<[String]> =
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    Ok(Source::Lines { lines, next: 0 })
}
