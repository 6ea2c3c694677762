//! The specification in an answer.

use super::{HubError, answer::missing, field::Field};
use crate::run::artifact::{check_path, shown};
use greenroom_protocol::plan::{
    Feature, FileAction, Intent, PlannedFile, SPEC_BYTES_MAX, Spec, Stack,
};

/// Most features, files, and items of any other list.
const FEATURES_MAX: usize = 40;
const FILES_MAX: usize = 60;
const ITEMS_MAX: usize = 20;
/// Longest texts, in bytes: what is told at length, what a feature does, an item of a list, a name.
const PROSE_BYTES_MAX: usize = 4 * 1024;
const DESCRIPTION_BYTES_MAX: usize = 1024;
const ITEM_BYTES_MAX: usize = 500;
const NAME_BYTES_MAX: usize = 200;

/// Reads the specification that an intent needs.
pub(super) fn read(field: &Field<'_>, intent: Intent) -> Result<Spec, HubError> {
    if field.value().is_none() {
        return Err(missing(field, intent));
    }
    let field = field.clone().object()?;
    let list = |name: &str| field.field(name).texts(ITEMS_MAX, ITEM_BYTES_MAX);
    let spec = Spec {
        overview: field.field("overview").lines(PROSE_BYTES_MAX)?,
        stack: stack(field.field("stack"))?,
        features: features(&field.field("features"), intent)?,
        interface: field.field("interface").lines(PROSE_BYTES_MAX)?,
        files: files(&field.field("files"), intent)?,
        constraints: list("constraints")?,
        acceptance: list("acceptance")?,
        risks: list("risks")?,
    };
    if spec.overview.is_empty() {
        return Err(missing(&field.field("overview"), intent));
    }
    if spec.features.is_empty() && spec.files.is_empty() {
        return Err(missing(&field.field("files"), intent));
    }
    let bytes = serde_json::to_string(&spec).map_or(usize::MAX, |json| json.len());
    if bytes > SPEC_BYTES_MAX {
        return Err(HubError::LongSpec { bytes });
    }
    Ok(spec)
}

fn stack(field: Field<'_>) -> Result<Stack, HubError> {
    let field = field.object()?;
    let list = |name: &str| field.field(name).texts(ITEMS_MAX, NAME_BYTES_MAX);
    Ok(Stack {
        frontend: list("frontend")?,
        backend: list("backend")?,
        ai_services: list("ai_services")?,
    })
}

fn features(field: &Field<'_>, intent: Intent) -> Result<Vec<Feature>, HubError> {
    let feature = |item: Field<'_>| {
        let named =
            if item.is_text() { item.clone() } else { item.clone().object()?.field("name") };
        let name = named.line(NAME_BYTES_MAX)?;
        if name.is_empty() {
            return Err(missing(&named, intent));
        }
        let description = item.field("description").line(DESCRIPTION_BYTES_MAX)?;
        let priority = item.field("priority").known().unwrap_or_default();
        Ok(Feature { name, description, priority })
    };
    field.items(FEATURES_MAX)?.into_iter().map(feature).collect()
}

fn files(field: &Field<'_>, intent: Intent) -> Result<Vec<PlannedFile>, HubError> {
    let is_new = intent == Intent::CodeGeneration;
    let unsaid = if is_new { FileAction::Create } else { FileAction::Modify };
    let file = |item: Field<'_>| {
        let named =
            if item.is_text() { item.clone() } else { item.clone().object()?.field("path") };
        let path = named.verbatim()?.trim();
        if path.is_empty() {
            return Err(missing(&named, intent));
        }
        check_path(path).map_err(|error| HubError::Path {
            field: named.path(),
            path: shown(path),
            error,
        })?;
        let purpose = item.field("purpose").line(ITEM_BYTES_MAX)?;
        let action = item.field("action").known().unwrap_or(unsaid);
        Ok(PlannedFile { path: path.to_owned(), action, purpose })
    };
    field.items(FILES_MAX)?.into_iter().map(file).collect()
}
