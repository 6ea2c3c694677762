//! What the document says of one route.

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// The schema of a type, asked of whoever collects them.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Media type of JSON.
const JSON: &str = "application/json";

/// What the document says of one route.
#[derive(Clone, Debug)]
pub struct Operation {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) signed_in: bool,
    /// Names of components: parameters that come as headers.
    pub(super) headers: Vec<&'static str>,
    pub(super) query: Option<SchemaOf>,
    pub(super) body: Option<SchemaOf>,
    pub(super) answers: Vec<Answer>,
    pub(super) problems: Vec<(u16, &'static str)>,
    pub(super) links: Vec<Link>,
}

/// One way to succeed.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) summary: &'static str,
    pub(super) media_type: Option<&'static str>,
    /// None: a text or bytes.
    pub(super) schema: Option<SchemaOf>,
    /// Names of components: headers that this answer has.
    pub(super) headers: Vec<&'static str>,
}

/// An operation that goes on with a field of the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) operation: &'static str,
    pub(super) place: &'static str,
}

impl Operation {
    /// An operation by its name and what it does.
    #[must_use]
    pub const fn new(id: &'static str, tag: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            signed_in: false,
            headers: Vec::new(),
            query: None,
            body: None,
            answers: Vec::new(),
            problems: Vec::new(),
            links: Vec::new(),
        }
    }

    /// It needs an access token.
    #[must_use]
    pub fn signed_in(mut self) -> Self {
        self.signed_in = true;
        self.fails(401, "`bad_token`, `token_expired`: there is no valid access token")
    }

    /// It changes something, and a repeat under the same `Idempotency-Key` has one effect.
    #[must_use]
    pub fn idempotent(self) -> Self {
        self.header("Idempotency-Key")
            .fails(422, "`idempotency_conflict`: the key was used with other contents")
    }

    /// It reads this header of a request.
    #[must_use]
    pub fn header(mut self, name: &'static str) -> Self {
        self.headers.push(name);
        self
    }

    /// Its query has the fields of this type.
    #[must_use]
    pub fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(of::<T>);
        self
    }

    /// Its request has a body of this type, in JSON.
    #[must_use]
    pub fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(of::<T>);
        self.fails(408, "`request_timeout`: the body took too long to arrive")
            .fails(413, "`payload_too_large`: the body is larger than 64 KiB")
            .fails(415, "`unsupported_media_type`: the body is not `application/json`")
    }

    /// It answers this type, in JSON.
    #[must_use]
    pub fn answers<T: JsonSchema>(self, status: u16, summary: &'static str) -> Self {
        self.answer(status, summary, Some(JSON), Some(of::<T>))
    }

    /// It answers a text or bytes; without a media type, nothing.
    #[must_use]
    pub fn sends(
        self,
        status: u16,
        media_type: Option<&'static str>,
        summary: &'static str,
    ) -> Self {
        self.answer(status, summary, media_type, None)
    }

    fn answer(
        mut self,
        status: u16,
        summary: &'static str,
        media_type: Option<&'static str>,
        schema: Option<SchemaOf>,
    ) -> Self {
        self.answers.push(Answer { status, summary, media_type, schema, headers: Vec::new() });
        self
    }

    /// The answer that was named last has this header.
    #[must_use]
    pub fn with(mut self, header: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.headers.push(header);
        }
        self
    }

    /// It can be asked whether anything changed.
    #[must_use]
    pub fn conditional(self) -> Self {
        self.with("ETag")
            .header("If-None-Match")
            .sends(304, None, "The client holds what there is")
            .with("ETag")
    }

    /// It may fail with this status; the text names the codes.
    #[must_use]
    pub fn fails(mut self, status: u16, codes: &'static str) -> Self {
        self.problems.push((status, codes));
        self
    }

    /// Another operation takes a field of the answer, in the place of that name.
    #[must_use]
    pub fn leads_to(mut self, operation: &'static str, place: &'static str) -> Self {
        self.links.push(Link { operation, place });
        self
    }
}
