//! Colour, where there is a terminal that shows it.

use console::Style;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// What the eye should find first.
    Strong,
    /// What it may pass over.
    Faint,
    /// In time, or as it should be.
    Good,
    /// After its time.
    Late,
    /// Silent, or wrong.
    Bad,
    /// Anything else.
    Plain,
}

/// Whether there is colour. What it says is never in the colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    /// A text in this ink.
    pub(crate) fn on(self, ink: Ink, text: &str) -> String {
        let style = Style::new().force_styling(self.0);
        let style = match ink {
            Ink::Strong => style.bold(),
            Ink::Faint => style.dim(),
            Ink::Good => style.green(),
            Ink::Late => style.yellow(),
            Ink::Bad => style.red(),
            Ink::Plain => return text.to_owned(),
        };
        style.apply_to(text).to_string()
    }
}
