//! A script of CQL as the statements that it is made of.

/// The statements of a script, without comments and without the semicolons that end them.
pub(super) fn statements(script: &str) -> Vec<String> {
    let (mut found, mut statement) = (Vec::new(), String::new());
    let (mut quote, mut rest) = (None, script);
    while let Some(c) = rest.chars().next() {
        match quote {
            None if rest.starts_with("--") => {
                rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
                continue;
            }
            None if c == ';' => found.push(std::mem::take(&mut statement)),
            None => {
                quote = Some(c).filter(|c| ['\'', '"'].contains(c));
                statement.push(c);
            }
            // A quote that is doubled ends one text and begins the next: the same comes out.
            Some(open) => {
                quote = quote.filter(|_| c != open);
                statement.push(c);
            }
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    found.push(statement);
    let trimmed = found.iter().map(|statement| statement.trim().to_owned());
    trimmed.filter(|statement| !statement.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_split_at_semicolons_outside_of_texts_and_comments() {
        let script =
            "-- one; comment\nCREATE a; -- and\nINSERT 'x; -- y''; z' \"b;\"\n  ;\n;DROP «c»";
        assert_eq!(statements(script), ["CREATE a", "INSERT 'x; -- y''; z' \"b;\"", "DROP «c»"]);
        assert_eq!(statements(" -- nothing"), [""; 0]);
    }
}
