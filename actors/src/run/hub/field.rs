//! Fields of the answer, each with its path for what is said of it.

use super::{HubError, text};
use crate::run::artifact::shown;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A place in the answer. `null` is what is not there.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Field<'a> {
    /// A field of the answer.
    pub(super) fn of(answer: &'a Map<String, Value>, name: &str) -> Self {
        Self { path: name.to_owned(), value: answer.get(name).filter(|value| !value.is_null()) }
    }

    /// A field of this one; none where this is no object.
    pub(super) fn field(&self, name: &str) -> Self {
        let value = self.value.and_then(|value| value.get(name)).filter(|value| !value.is_null());
        Self { path: format!("{}.{name}", self.path), value }
    }

    /// Its path.
    pub(super) fn path(&self) -> String {
        self.path.clone()
    }

    /// Its value.
    pub(super) const fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// Whether it is a text by itself.
    pub(super) fn is_text(&self) -> bool {
        self.value.is_some_and(Value::is_string)
    }

    /// Refuses what is there and no object.
    pub(super) fn object(self) -> Result<Self, HubError> {
        if self.value.is_none_or(Value::is_object) {
            Ok(self)
        } else {
            Err(self.type_of("an object"))
        }
    }

    /// A text on one line; empty where there is none.
    pub(super) fn line(&self, bytes_max: usize) -> Result<String, HubError> {
        self.bounded(text::line(self.verbatim()?), bytes_max)
    }

    /// A text of several lines; empty where there is none.
    pub(super) fn lines(&self, bytes_max: usize) -> Result<String, HubError> {
        self.bounded(text::lines(self.verbatim()?), bytes_max)
    }

    /// The items of a list; a value that is no list is a list of one.
    pub(super) fn items(&self, most: usize) -> Result<Vec<Self>, HubError> {
        let values = match self.value {
            None => &[],
            Some(Value::Array(values)) => values.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        if values.len() > most {
            let (field, count) = (self.path(), values.len());
            return Err(HubError::TooMany { field, count, most });
        }
        let item = |(at, value)| Self { path: format!("{}[{at}]", self.path), value: Some(value) };
        Ok(values.iter().enumerate().map(item).collect())
    }

    /// The texts of a list, each on one line, without the empty ones.
    pub(super) fn texts(&self, most: usize, bytes_max: usize) -> Result<Vec<String>, HubError> {
        let texts: Result<Vec<_>, _> =
            self.items(most)?.iter().map(|item| item.line(bytes_max)).collect();
        Ok(texts?.into_iter().filter(|text| !text.is_empty()).collect())
    }

    /// A value of an enumeration by its name, however it is written: `Follow-up`, `follow_up`.
    pub(super) fn choice<T: Copy>(
        &self,
        all: &[T],
        name: impl Fn(T) -> &'static str,
    ) -> Result<T, HubError> {
        let found = self.verbatim()?;
        let written = found.trim().to_lowercase().replace(['-', ' '], "_");
        all.iter().copied().find(|one| name(*one) == written).ok_or_else(|| {
            let allowed: Vec<_> = all.iter().map(|one| format!("{:?}", name(*one))).collect();
            let (field, allowed) = (self.path(), allowed.join(", "));
            HubError::Choice { field, found: shown(found), allowed }
        })
    }

    /// A value of an enumeration that takes any text; none where there is no text.
    pub(super) fn known<T: DeserializeOwned>(&self) -> Option<T> {
        self.value.and_then(|value| serde_json::from_value(value.clone()).ok())
    }

    /// A text as it stands there; empty where there is none.
    pub(super) fn verbatim(&self) -> Result<&'a str, HubError> {
        match self.value {
            None => Ok(""),
            Some(value) => value.as_str().ok_or_else(|| self.type_of("a text")),
        }
    }

    fn bounded(&self, text: String, most: usize) -> Result<String, HubError> {
        if text.len() <= most {
            return Ok(text);
        }
        Err(HubError::LongText { field: self.path(), bytes: text.len(), most })
    }

    fn type_of(&self, wanted: &'static str) -> HubError {
        HubError::Type { field: self.path(), wanted }
    }
}
