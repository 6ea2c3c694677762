//! Thousands of real changes as blocks, damaged: each is applied where it belongs, or not at all.

use super::{
    damage::Damage,
    pairs::{self, Pair},
};
use greenroom_actors::run::edit::{Block, Miss, edit};
use similar::{Algorithm, capture_diff_slices};
use std::collections::BTreeMap;

/// Lines of context around a change, as models are asked for.
const CONTEXT: usize = 3;

/// Most changes that are taken of one file.
const CHANGES_MAX: usize = 6;

/// Fewest cases that count as a corpus.
const CASES_MIN: usize = 2_000;

/// One change of one file.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) before: String,
    /// The file after this change alone.
    pub(super) expected: String,
    pub(super) block: Block,
    /// The lines that go, and those that come.
    pub(super) removed: Vec<String>,
    pub(super) added: Vec<String>,
    /// Lines of context above them.
    pub(super) context: usize,
    /// The block's first line, from 1.
    pub(super) line: usize,
}

/// The changes of a file.
fn cases(pair: &Pair) -> Vec<Case> {
    let old: Vec<&str> = pair.before.split_inclusive('\n').collect();
    let new: Vec<&str> = pair.after.split_inclusive('\n').collect();
    let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    let changes = capture_diff_slices(Algorithm::Myers, &old, &new);
    let changed = changes.into_iter().filter(|op| op.tag() != similar::DiffTag::Equal);
    changed
        .take(CHANGES_MAX)
        .filter_map(|op| {
            let (range, added) = (op.old_range(), &new[op.new_range()]);
            let (from, to) =
                (range.start.saturating_sub(CONTEXT), (range.end + CONTEXT).min(old.len()));
            let (above, below) = (old[from..range.start].concat(), old[range.end..to].concat());
            let search = old[from..to].concat();
            let replace = above + &added.concat() + &below;
            let expected =
                old[..range.start].concat() + &added.concat() + &old[range.end..].concat();
            // A block has whole lines: a file's last one without its end is another case.
            let whole = search.ends_with('\n') && (replace.is_empty() || replace.ends_with('\n'));
            whole.then(|| Case {
                before: pair.before.clone(),
                expected,
                block: Block { search, replace, line: None, is_closed: true },
                removed: owned(&old[range.clone()]),
                added: owned(added),
                context: range.start - from,
                line: from + 1,
            })
        })
        .collect()
}

/// How often the lines searched for stand in the file, whatever white space and quotes are there:
/// counted apart from the engine.
fn places(case: &Case) -> usize {
    let plain = |text: &str| -> Vec<String> {
        let line = |line: &str| {
            let plain = |c: char| match c {
                '“' | '”' => '"',
                '‘' | '’' | '′' | 'ʼ' => '\'',
                '–' | '—' | '‐' | '−' => '-',
                c if c.is_whitespace() => ' ',
                c => c,
            };
            line.trim().chars().map(plain).collect()
        };
        text.lines().map(line).collect()
    };
    let (file, search) = (plain(&case.before), plain(&case.block.search));
    file.windows(search.len()).filter(|window| *window == search.as_slice()).count()
}

/// What became of the cases of one damage.
#[derive(Debug, Default)]
struct Count {
    cases: usize,
    /// Whose lines stand in the file once.
    unique: usize,
    /// Of those, applied where they belong.
    applied: usize,
    /// Of the others, applied where they belong: the block names its line.
    told_apart: usize,
    /// Refused, with the nearest lines or the places.
    refused: usize,
}

impl Count {
    /// Counts a case.
    ///
    /// # Errors
    /// What is wrong about it.
    fn case(&mut self, case: &Case) -> Result<(), String> {
        self.cases += 1;
        let is_unique = places(case) == 1;
        self.unique += usize::from(is_unique);
        let misses = match edit(Some(&case.before), std::slice::from_ref(&case.block)) {
            Ok(edited) if edited.text != case.expected => {
                return Err(format!("was applied by {:?}", edited.blocks));
            }
            Ok(_) if is_unique => {
                self.applied += 1;
                return Ok(());
            }
            Ok(_) => {
                self.told_apart += 1;
                return Ok(());
            }
            Err(misses) => misses,
        };
        self.refused += 1;
        let says = match &misses[0].1 {
            Miss::NotFound { nearest } => nearest.is_some(),
            Miss::Ambiguous { lines } => lines.len() > 1 && lines.contains(&case.line),
            Miss::NoFile | Miss::NoSearch | Miss::Broken(_) => false,
        };
        if says { Ok(()) } else { Err(format!("was refused without a word: {misses:?}")) }
    }
}

#[tokio::test]
async fn real_changes_apply_where_they_belong_or_not_at_all_however_they_are_damaged() {
    let pairs = pairs::all().await;
    let mut counts: BTreeMap<Damage, Count> = BTreeMap::new();
    let mut wrong = Vec::new();
    for pair in &pairs {
        for case in cases(pair) {
            for damage in Damage::ALL {
                let Some(case) = damage.apply(&case) else { continue };
                if let Err(what) = counts.entry(damage).or_default().case(&case) {
                    let name = &pair.name;
                    wrong.push(format!(
                        "{damage:?} of {name}:{}: {:?} {what}",
                        case.line, case.block
                    ));
                }
            }
        }
    }
    let sum = |of: fn(&Count) -> usize| counts.values().map(of).sum::<usize>();
    let (cases, unique, applied) = (sum(|c| c.cases), sum(|c| c.unique), sum(|c| c.applied));
    for (damage, count) in &counts {
        println!("{damage:?}: {count:?}");
    }
    println!("{} pairs, {cases} cases, {unique} of them unique, {applied} applied", pairs.len());
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(9)].join("\n")
    );
    if pairs.is_empty() {
        println!("skipped: no pair of files could be had");
        return;
    }
    assert!(cases >= CASES_MIN, "{cases} cases are no corpus");
    assert!(applied * 100 >= unique * 99, "{applied} of {unique} applied");
    let none =
        |damage: Damage| counts.get(&damage).map_or(0, |count| count.applied + count.told_apart);
    assert_eq!((none(Damage::Repeated), none(Damage::Invented)), (0, 0));
    let missing: Vec<&Damage> =
        Damage::ALL.iter().filter(|damage| !counts.contains_key(damage)).collect();
    assert!(missing.is_empty(), "no case of {missing:?}");
}
