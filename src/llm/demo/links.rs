//! Deletes and moves files, and keeps the pages' references to them right.

use super::tree::Tree;
use greenroom_protocol::limit::PATH_BYTES_MAX;

/// Longest name within a path, in bytes, as file systems have it.
const NAME_BYTES_MAX: usize = 255;

/// A path as the engine takes it, and plain enough for a reference as it is: relative, without `.`
/// and `..`; none where it can't be one.
pub(super) fn clean_path(text: &str) -> Option<String> {
    let path = text.trim().trim_start_matches("./");
    let plain = |letter: char| letter.is_alphanumeric() || " -_./()+@,".contains(letter);
    let whole = path.len() <= PATH_BYTES_MAX && path.chars().all(plain);
    (whole && path.split('/').all(is_name)).then(|| path.to_owned())
}

fn is_name(name: &str) -> bool {
    let edges = name.starts_with(' ') || name.ends_with([' ', '.']);
    !name.is_empty() && !edges && name.len() <= NAME_BYTES_MAX && !name.eq_ignore_ascii_case(".git")
}

/// Deletes a file, with the lines of pages that load it and the README's line about it.
pub(super) fn delete(tree: &mut Tree, path: &str) {
    tree.delete(path);
    for page in pages(tree) {
        let dir = folder(&page).to_owned();
        change(tree, &page, |line| {
            let loads = ["<link ", "<script "].iter().any(|tag| line.trim_start().starts_with(tag));
            let to_it = |(_, link): (&str, &str)| resolve(&dir, link).as_deref() == Some(path);
            let kept = !(loads && links(line).any(to_it));
            kept.then(|| line.to_owned())
        });
    }
    readme(tree, |line| (!line.starts_with(&format!("- `{path}`"))).then(|| line.to_owned()));
}

/// Moves a file, and points the pages and the README to its new path.
pub(super) fn rename(tree: &mut Tree, from: &str, to: &str) {
    tree.rename(from, to);
    for page in pages(tree) {
        let (old, new) = (if page == to { from } else { page.as_str() }, page.as_str());
        let (old_dir, new_dir) = (folder(old).to_owned(), folder(new).to_owned());
        let paths: Vec<_> = tree.paths().cloned().collect();
        change(tree, &page, |line| {
            let mut changed = line.to_owned();
            for (quoted, link) in links(line) {
                let Some(target) = resolve(&old_dir, link) else { continue };
                let target = if target == from { to } else { target.as_str() };
                if paths.iter().any(|path| path == target) {
                    let link = relative(&new_dir, target);
                    let attribute = quoted.split_once('"').map_or("", |(name, _)| name);
                    changed = changed.replace(quoted, &format!("{attribute}\"{link}\""));
                }
            }
            Some(changed)
        });
    }
    let (old, new) = (format!("`{from}`"), format!("`{to}`"));
    readme(tree, |line| Some(line.replace(&old, &new)));
}

fn pages(tree: &Tree) -> Vec<String> {
    tree.paths().filter(|path| path.ends_with(".html")).cloned().collect()
}

fn readme(tree: &mut Tree, each: impl Fn(&str) -> Option<String>) {
    if let Some(path) = tree.find("README.md").map(str::to_owned) {
        change(tree, &path, each);
    }
}

/// Changes a file line by line; none drops the line.
fn change(tree: &mut Tree, path: &str, each: impl Fn(&str) -> Option<String>) {
    let Some(content) = tree.get(path) else { return };
    let content = content.split_inclusive('\n').filter_map(each).collect();
    tree.write(path, content);
}

/// The references in a line: `src="x"` with the `x` of it.
fn links(line: &str) -> impl Iterator<Item = (&str, &str)> {
    ["href=\"", "src=\""].into_iter().flat_map(move |open| {
        line.match_indices(open).filter_map(move |(at, _)| {
            let start = at + open.len();
            let end = start + line.get(start..)?.find('"')?;
            Some((line.get(at..=end)?, line.get(start..end)?))
        })
    })
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The path that a reference means, from within a folder; none where it leads outside.
fn resolve(dir: &str, link: &str) -> Option<String> {
    if link.is_empty() || link.starts_with(['/', '#']) || link.contains(':') {
        return None;
    }
    let mut parts: Vec<_> = dir.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A reference from within a folder to a path.
fn relative(dir: &str, path: &str) -> String {
    let from: Vec<_> = dir.split('/').filter(|part| !part.is_empty()).collect();
    let to: Vec<_> = path.split('/').collect();
    let shared = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let ups = from.iter().skip(shared).map(|_| "..");
    ups.chain(to.into_iter().skip(shared)).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    const PAGE: &str = "<head>\n<link rel=\"icon\" href=\"data:,\">\n\
        <link rel=\"stylesheet\" href=\"styles.css\">\n<script src=\"app.js\" defer></script>\n";

    fn tree() -> Tree {
        let files =
            [("README.md", "# x\n- `styles.css`: looks\n"), ("app.js", ""), ("styles.css", "")];
        let mut files: BTreeMap<_, _> =
            files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        files.insert("index.html".into(), PAGE.into());
        Tree::new(files, BTreeSet::new())
    }

    #[test]
    fn a_moved_file_is_still_loaded() {
        let mut tree = tree();

        rename(&mut tree, "styles.css", "css/styles.css");
        assert!(tree.get("index.html").unwrap().contains("href=\"css/styles.css\""));
        assert!(tree.get("README.md").unwrap().contains("`css/styles.css`"));

        rename(&mut tree, "index.html", "public/index.html");
        let page = tree.get("public/index.html").unwrap();
        assert!(page.contains("href=\"../css/styles.css\""), "{page}");
        assert!(page.contains("src=\"../app.js\" defer"), "{page}");
        assert!(page.contains("href=\"data:,\""), "{page}");

        rename(&mut tree, "css/styles.css", "styles.css");
        rename(&mut tree, "public/index.html", "index.html");
        assert_eq!(tree.get("index.html"), Some(PAGE));
    }

    #[test]
    fn a_deleted_file_is_loaded_no_more() {
        let mut tree = tree();

        delete(&mut tree, "styles.css");

        assert!(!tree.get("index.html").unwrap().contains("styles.css"));
        assert!(tree.get("index.html").unwrap().contains("app.js"));
        assert_eq!(tree.get("README.md"), Some("# x\n"));
    }

    #[test]
    fn paths_that_lead_outside_are_refused() {
        for bad in [
            "../x",
            "/x",
            "a//b",
            "a/./b",
            "",
            "a\"b",
            "c:\\x",
            ".git/config",
            "a./b",
            "a/ b",
            "a&copy.css",
        ] {
            assert_eq!(clean_path(bad), None, "{bad}");
        }
        assert_eq!(clean_path(" ./a/b c.txt").as_deref(), Some("a/b c.txt"));
    }
}
