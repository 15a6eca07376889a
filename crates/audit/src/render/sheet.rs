//! What every rendering of figures is made of: tables with their heads, and bars.

/// A table.
#[derive(Default)]
pub(super) struct Sheet {
    /// Names its place in a page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What must be known to read it.
    pub(super) note: String,
    pub(super) columns: Vec<Column>,
    /// Each as long as the columns; the first cell names the row.
    pub(super) rows: Vec<Vec<String>>,
    /// What is said where there is no row.
    pub(super) none: &'static str,
    /// The same as a picture, where it has one.
    pub(super) bars: Option<Bars>,
    /// How many rows are told at a glance, where there may be too many to read: a page folds the others away.
    pub(super) glance: Option<usize>,
}

impl Sheet {
    /// Whether there are more rows than are told at a glance.
    pub(super) fn is_long(&self) -> bool {
        self.glance.is_some_and(|glance| self.rows.len() > glance)
    }
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Its cells are figures, which stand at the right.
    pub(super) figures: bool,
    /// How many letters wide it is in a terminal; none where it is left out there.
    pub(super) terminal: Option<usize>,
    /// Its share of the width of a page.
    pub(super) weight: f32,
}

impl Column {
    pub(super) const fn words(name: &'static str, terminal: usize, weight: f32) -> Self {
        Self { name, figures: false, terminal: Some(terminal), weight }
    }

    pub(super) const fn figures(name: &'static str, terminal: usize, weight: f32) -> Self {
        Self { name, figures: true, terminal: Some(terminal), weight }
    }

    /// Left out in a terminal.
    pub(super) const fn beside(self) -> Self {
        Self { terminal: None, ..self }
    }
}

/// Shares as bars, one under the other.
pub(super) struct Bars {
    pub(super) title: String,
    /// What it shows, in words.
    pub(super) text: String,
    pub(super) all: Vec<Bar>,
}

/// One share.
pub(super) struct Bar {
    pub(super) label: String,
    /// From 0 to 1; none where there is no whole.
    pub(super) share: Option<f64>,
    /// The share with what it is of.
    pub(super) words: String,
}

/// A bar where it stands in a picture, in the picture's own units.
pub(super) struct Placed<'a> {
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) words_x: f64,
    pub(super) bar: &'a Bar,
}

impl Bars {
    /// The height of a row.
    const ROW: f64 = 26.0;
    /// Where bars begin and how long the longest is.
    pub(super) const LEFT: f64 = 250.0;
    pub(super) const LONG: f64 = 480.0;

    pub(super) fn height(&self) -> f64 {
        Self::ROW * f64::from(u32::try_from(self.all.len()).unwrap_or(u32::MAX)) + 4.0
    }

    pub(super) fn placed(&self) -> Vec<Placed<'_>> {
        let place = |(n, bar)| {
            let bar: &Bar = bar;
            // A tenth of a unit is less than can be seen.
            let width = (Self::LONG * bar.share.unwrap_or(0.0) * 10.0).round() / 10.0;
            let y = Self::ROW * f64::from(n) + 2.0;
            Placed { y, width, words_x: Self::LEFT + Self::LONG + 10.0, bar }
        };
        (0_u32..).zip(&self.all).map(place).collect()
    }
}
