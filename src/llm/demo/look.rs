//! Colours and schemes that a prompt names.

use super::words::Word;

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scheme {
    /// As the system is set.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Scheme {
    /// The value of `color-scheme`.
    pub(super) const fn css(self) -> &'static str {
        match self {
            Self::System => "light dark",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A colour by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    /// As the user may write it.
    pub name: &'static str,
    /// Angle in OKLCH, in degrees.
    pub hue: u16,
    /// How strong: 0 is grey, 1 is full.
    pub tint: &'static str,
}

const fn colour(name: &'static str, hue: u16) -> Colour {
    Colour { name, hue, tint: "1" }
}

const fn grey(name: &'static str) -> Colour {
    Colour { name, hue: 260, tint: "0" }
}

/// Every colour that the stand-in knows.
pub(super) const COLOURS: &[Colour] = &[
    colour("red", 25),
    colour("crimson", 18),
    colour("coral", 35),
    colour("orange", 50),
    colour("brown", 60),
    colour("amber", 75),
    colour("gold", 85),
    colour("yellow", 95),
    colour("lime", 125),
    colour("green", 148),
    colour("emerald", 160),
    colour("mint", 168),
    colour("teal", 185),
    colour("turquoise", 195),
    colour("cyan", 210),
    colour("sky", 235),
    colour("blue", 258),
    colour("indigo", 275),
    colour("violet", 292),
    colour("purple", 305),
    colour("magenta", 330),
    colour("pink", 352),
    colour("rose", 8),
    grey("grey"),
    grey("gray"),
    grey("monochrome"),
    grey("black-and-white"),
];

/// The first colour among the words.
pub(super) fn find_colour(words: &[Word]) -> Option<Colour> {
    words
        .iter()
        .find_map(|word| {
            COLOURS.iter().find(|colour| {
                let name = word.lower.strip_suffix("ish").unwrap_or(&word.lower);
                name == colour.name
            })
        })
        .copied()
}

/// The first scheme among the words.
pub(super) fn find_scheme(words: &[Word]) -> Option<Scheme> {
    words.iter().enumerate().find_map(|(place, word)| {
        let names_a_look = || {
            words
                .get(place + 1)
                .is_some_and(|next| next.is(&["mode", "theme", "scheme", "colours"]))
        };
        match word.lower.as_str() {
            "dark" | "darker" => Some(Scheme::Dark),
            "light" | "lighter" => Some(Scheme::Light),
            "night" if names_a_look() => Some(Scheme::Dark),
            "day" if names_a_look() => Some(Scheme::Light),
            "system" | "automatic" if names_a_look() => Some(Scheme::System),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::demo::words::words;

    #[test]
    fn colours_and_schemes_are_found_by_name() {
        let found = |text| (find_scheme(&words(text)), find_colour(&words(text)).map(|it| it.name));

        assert_eq!(found("a dark green page"), (Some(Scheme::Dark), Some("green")));
        assert_eq!(found("use the system theme"), (Some(Scheme::System), None));
        assert_eq!(found("make it Light"), (Some(Scheme::Light), None));
        assert_eq!(found("nothing"), (None, None));
    }
}
