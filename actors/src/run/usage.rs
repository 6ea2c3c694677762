//! Tokens from bytes, where a provider says nothing of them.

/// About four bytes of text make a token; one at least for each text.
#[must_use]
pub(super) fn estimate(lens: impl IntoIterator<Item = usize>) -> u64 {
    lens.into_iter().map(|len| (len as u64).div_ceil(4)).sum()
}
