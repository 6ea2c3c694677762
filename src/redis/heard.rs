//! What a node has heard: every beat lists all that holds, and what was listed before is no news.

use std::collections::BTreeMap;

/// The last list: what was told, and when or until when.
#[derive(Debug, Default)]
pub(super) struct Heard(BTreeMap<String, u64>);

impl Heard {
    /// Takes a list; what in it is new, or has changed.
    pub(super) fn news(&mut self, listed: Vec<(String, u64)>) -> Vec<(String, u64)> {
        let last = std::mem::take(&mut self.0);
        let is_news = |(text, at): &&(String, u64)| last.get(text) != Some(at);
        let news = listed.iter().filter(is_news).cloned().collect();
        self.0 = listed.into_iter().collect();
        news
    }

    /// Takes a text as not heard.
    pub(super) fn forget(&mut self, text: &str) {
        self.0.remove(text);
    }
}

/// Pairs of a text and its score, as Redis lists them. What has none is left out.
pub(super) fn pairs(list: &[String]) -> Vec<(String, u64)> {
    let pair = |pair: &[String]| match pair {
        [text, score] => Some((text.clone(), score.parse().ok()?)),
        _ => None,
    };
    list.chunks(2).filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_listed_before_is_no_news_unless_it_changed() {
        let list = |list: &[(&str, u64)]| -> Vec<_> {
            list.iter().map(|(text, at)| ((*text).to_owned(), *at)).collect()
        };
        let mut heard = Heard::default();
        assert_eq!(heard.news(list(&[("a", 1), ("b", 2)])), list(&[("a", 1), ("b", 2)]));
        assert_eq!(heard.news(list(&[("a", 1), ("b", 3), ("c", 1)])), list(&[("b", 3), ("c", 1)]));
        assert_eq!(heard.news(list(&[])), list(&[]));
        assert_eq!(heard.news(list(&[("a", 1)])), list(&[("a", 1)]), "it was gone meanwhile");
    }

    #[test]
    fn pairs_are_read_as_redis_lists_them() {
        let list = ["a", "1795292166303", "b", "x", "c"].map(str::to_owned);
        assert_eq!(pairs(&list), [("a".to_owned(), 1_795_292_166_303)]);
    }
}
