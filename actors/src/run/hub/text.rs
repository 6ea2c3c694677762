//! Texts of a model, cleaned.

/// Without control characters but newlines and tabs, and without blanks at both ends.
pub(super) fn lines(text: &str) -> String {
    let kept = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    let kept: String = text.chars().filter(kept).collect();
    kept.trim().to_owned()
}

/// On one line, with one space where there were blanks and control characters.
pub(super) fn line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
