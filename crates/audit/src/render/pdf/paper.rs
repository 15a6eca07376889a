//! Laying out: what stands where on which page, and how it is tagged. Nothing here knows the file format.

use super::face::{Face, Faces};
use crate::render::sheet::Column;

/// A4, lying: tables are wide. In points.
pub(super) const WIDTH: f32 = 842.0;
pub(super) const HEIGHT: f32 = 595.0;
pub(super) const MARGIN: f32 = 42.0;
pub(super) const INNER: f32 = WIDTH - 2.0 * MARGIN;
/// Where text begins and ends on a page; the marking stands above and the page's number below.
const TOP: f32 = 48.0;
const BOTTOM: f32 = HEIGHT - 48.0;

/// A colour: red, green, blue.
pub(super) type Colour = (u8, u8, u8);
pub(super) const BLACK: Colour = (0x1b, 0x1b, 0x1f);
pub(super) const QUIET: Colour = (0x55, 0x56, 0x5e);
pub(super) const LINE: Colour = (0xc9, 0xca, 0xd2);
pub(super) const BAND: Colour = (0xf3, 0xf4, 0xf7);

/// A style of text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) colour: Colour,
    /// Room above it.
    pub(super) above: f32,
}

impl Style {
    const fn new(size: f32, bold: bool, colour: Colour, above: f32) -> Self {
        Self { size, bold, colour, above }
    }

    pub(super) const BODY: Self = Self::new(9.5, false, BLACK, 5.0);
    pub(super) const STRONG: Self = Self::new(10.5, true, BLACK, 6.0);
    pub(super) const NOTE: Self = Self::new(8.0, false, QUIET, 3.0);
    pub(super) const CELL: Self = Self::new(7.5, false, BLACK, 0.0);
    pub(super) const HEAD: Self = Self::new(7.5, true, BLACK, 0.0);

    fn heading(level: u16) -> Self {
        match level {
            1 => Self::new(17.0, true, BLACK, 0.0),
            2 => Self::new(12.5, true, BLACK, 16.0),
            _ => Self::new(10.0, true, BLACK, 10.0),
        }
    }

    /// What is read and written on at a desk.
    pub(super) const LARGE: Self = Self::new(9.0, false, BLACK, 0.0);
    pub(super) const LARGE_HEAD: Self = Self::new(9.0, true, BLACK, 0.0);

    /// From one line to the next.
    pub(super) fn line(self) -> f32 {
        self.size * 1.3
    }

    pub(super) fn face(self, faces: &Faces) -> &Face {
        if self.bold { &faces.bold } else { &faces.plain }
    }
}

/// How a table looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    head: Style,
    cell: Style,
    /// The least height of a row: room to write by hand.
    least: f32,
    /// A line under each row, instead of a shade behind every other.
    ruled: bool,
}

impl Look {
    /// As much on a page as can be read.
    pub(super) const DENSE: Self = Self { head: Style::HEAD, cell: Style::CELL, least: 0.0, ruled: false };
    /// To be worked off with a pen.
    pub(super) const FORM: Self =
        Self { head: Style::LARGE_HEAD, cell: Style::LARGE, least: 46.0, ruled: true };
}

/// Something drawn on a page.
#[derive(Debug)]
pub(super) enum Drawn {
    /// Words of a leaf of the tags.
    Words {
        leaf: usize,
        x: f32,
        y: f32,
        style: Style,
        text: String,
    },
    /// Lines and areas that mean nothing.
    Rule {
        y: f32,
        thick: f32,
    },
    Band {
        y: f32,
        height: f32,
    },
    /// A picture: one leaf.
    Picture {
        leaf: usize,
        marks: Vec<Mark>,
    },
}

/// A part of a picture, where it stands on the page.
#[derive(Debug)]
pub(super) enum Mark {
    Area {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        colour: Colour,
    },
    Path {
        points: Vec<(f32, f32)>,
        close: bool,
        fill: Option<Colour>,
        stroke: Option<(Colour, f32)>,
        dash: f32,
    },
    Circle {
        x: f32,
        y: f32,
        radius: f32,
        fill: Option<Colour>,
        stroke: Option<(Colour, f32)>,
    },
    Words {
        x: f32,
        y: f32,
        size: f32,
        colour: Colour,
        text: String,
    },
}

/// A tag and what is in it, in the order in which it is read.
#[derive(Debug)]
pub(super) struct Tagged {
    pub(super) what: What,
    pub(super) children: Vec<Child>,
}

#[derive(Debug)]
pub(super) enum Child {
    Tagged(Tagged),
    Leaf(usize),
}

/// What a tag says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Heading(u16, String),
    Paragraph,
    List,
    Item,
    ItemBody,
    Table,
    Caption,
    Head,
    Body,
    Row,
    /// A cell that names its column, or its row.
    ColumnName,
    RowName,
    Cell,
    Figure(String),
}

impl Tagged {
    fn new(what: What) -> Self {
        Self { what, children: Vec::new() }
    }

    fn with(what: What, leaf: usize) -> Self {
        Self { what, children: vec![Child::Leaf(leaf)] }
    }

    fn push(&mut self, child: Self) {
        self.children.push(Child::Tagged(child));
    }
}

/// A heading, for the outline.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) level: u16,
    pub(super) title: String,
    pub(super) page: usize,
    pub(super) y: f32,
}

/// The pages so far.
pub(super) struct Paper<'f> {
    pub(super) faces: &'f Faces,
    pub(super) pages: Vec<Vec<Drawn>>,
    pub(super) tags: Vec<Tagged>,
    pub(super) places: Vec<Place>,
    pub(super) leaves: usize,
    y: f32,
}

impl<'f> Paper<'f> {
    pub(super) fn new(faces: &'f Faces) -> Self {
        Self { faces, pages: vec![Vec::new()], tags: Vec::new(), places: Vec::new(), leaves: 0, y: TOP }
    }

    fn leaf(&mut self) -> usize {
        self.leaves += 1;
        self.leaves - 1
    }

    fn draw(&mut self, drawn: Drawn) {
        // There is always a last page: the list begins with one.
        if let Some(page) = self.pages.last_mut() {
            page.push(drawn);
        }
    }

    fn turn(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Turns the page unless there is so much room.
    fn room(&mut self, height: f32) {
        if self.y + height > BOTTOM && self.y > TOP {
            self.turn();
        }
    }

    /// How much room there is on this page.
    pub(super) fn left(&self) -> f32 {
        BOTTOM - self.y
    }

    /// The most room that a page has.
    pub(super) fn most() -> f32 {
        BOTTOM - TOP
    }

    /// Lines of text, over as many pages as they need.
    fn lines(&mut self, leaf: usize, text: &str, style: Style, x: f32) {
        let lines = style.face(self.faces).wrapped(text, style.size, WIDTH - MARGIN - x);
        let last = lines.len() - 1;
        for (n, mut line) in lines.into_iter().enumerate() {
            self.room(style.line());
            if n < last || line.is_empty() {
                line.push(' ');
            }
            let y = self.y + style.size;
            self.draw(Drawn::Words { leaf, x, y, style, text: line });
            self.y += style.line();
        }
    }

    pub(super) fn heading(&mut self, level: u16, text: &str) {
        let style = Style::heading(level);
        self.y += if self.y > TOP { style.above } else { 0.0 };
        // A heading does not stand alone at the end of a page.
        self.room(style.line() * 2.0 + 40.0);
        let mut title = style.face(self.faces).known(text);
        if title.trim().is_empty() {
            // Words from outside may be nothing but signs that are not shown, and a heading must have a title.
            "(nothing that can be shown)".clone_into(&mut title);
        }
        self.places.push(Place { level, title: title.clone(), page: self.pages.len() - 1, y: self.y });
        let leaf = self.leaf();
        self.lines(leaf, &title, style, MARGIN);
        self.tags.push(Tagged::with(What::Heading(level, title), leaf));
    }

    pub(super) fn paragraph(&mut self, text: &str, style: Style) {
        self.y += style.above;
        let leaf = self.leaf();
        self.lines(leaf, text, style, MARGIN);
        self.tags.push(Tagged::with(What::Paragraph, leaf));
    }

    pub(super) fn list(&mut self, items: impl IntoIterator<Item = String>) {
        let mut list = Tagged::new(What::List);
        for item in items {
            self.y += 2.0;
            let leaf = self.leaf();
            self.lines(leaf, &format!("\u{2013} {item}"), Style::BODY, MARGIN + 8.0);
            let mut tagged = Tagged::new(What::Item);
            tagged.push(Tagged::with(What::ItemBody, leaf));
            list.push(tagged);
        }
        if !list.children.is_empty() {
            self.tags.push(list);
        }
    }

    /// A table: its head is repeated on each page, and a row is cut only where it is longer than a page.
    pub(super) fn table(
        &mut self,
        caption: &str,
        columns: &[Column],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) {
        self.table_of(Look::DENSE, caption, columns, rows);
    }

    /// The same with a look of its own.
    pub(super) fn table_of(
        &mut self,
        look: Look,
        caption: &str,
        columns: &[Column],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) {
        let mut table = Tagged::new(What::Table);
        self.y += 4.0;
        self.room(60.0);
        let leaf = self.leaf();
        self.lines(leaf, caption, Style::NOTE, MARGIN);
        table.push(Tagged::with(What::Caption, leaf));
        self.y += 2.0;
        let grid = Grid::of(columns);
        let mut head = Tagged::new(What::Row);
        let names = grid.wrapped(self.faces, columns.iter().map(|column| column.name), look.head);
        let leaves: Vec<usize> = names.iter().map(|_| self.leaf()).collect();
        for leaf in &leaves {
            head.push(Tagged::with(What::ColumnName, *leaf));
        }
        self.head(look, &grid, &names, Some(&leaves));
        let mut thead = Tagged::new(What::Head);
        thead.push(head);
        table.push(thead);
        let mut body = Tagged::new(What::Body);
        for (n, row) in rows.into_iter().enumerate() {
            body.push(self.row(look, &grid, &names, &row, n % 2 == 1));
        }
        table.push(body);
        self.tags.push(table);
        self.y += 4.0;
    }

    /// The head of a table. Where it is repeated it is no content: it has been read.
    fn head(&mut self, look: Look, grid: &Grid, names: &[Vec<String>], leaves: Option<&[usize]>) {
        let deep = names.iter().map(Vec::len).max().unwrap_or(0);
        for n in 0..deep {
            for (place, lines) in names.iter().enumerate() {
                let Some(line) = lines.get(n) else { continue };
                let leaf = leaves.map_or(REPEATED, |leaves| leaves[place]);
                self.cell(grid, place, leaf, line, n + 1 == lines.len(), look.head);
            }
            self.y += look.head.line();
        }
        self.y += 2.0;
        self.draw(Drawn::Rule { y: self.y, thick: 1.0 });
        self.y += 3.0;
    }

    fn row(
        &mut self,
        look: Look,
        grid: &Grid,
        names: &[Vec<String>],
        cells: &[String],
        band: bool,
    ) -> Tagged {
        let lines: Vec<Vec<String>> = cells
            .iter()
            .enumerate()
            .map(|(place, cell)| {
                let style = if place == 0 { look.head } else { look.cell };
                grid.wrapped_one(self.faces, place, cell, style)
            })
            .collect();
        let leaves: Vec<usize> = cells.iter().map(|_| self.leaf()).collect();
        let deep = lines.iter().map(Vec::len).max().unwrap_or(0);
        let used = look.cell.line() * as_length(deep) + 4.0;
        let height = used.max(look.least);
        let whole = height <= Self::most() - 60.0;
        let mut top = true;
        for n in 0..deep {
            let wanted = if top && whole { height } else { look.cell.line() };
            if self.y + wanted > BOTTOM {
                self.turn();
                self.head(look, grid, names, None);
                top = true;
            }
            if top {
                let fits = as_length(deep - n) * look.cell.line() + 4.0;
                let height = fits.min(BOTTOM - self.y);
                if band && !look.ruled {
                    self.draw(Drawn::Band { y: self.y - 1.5, height });
                }
                top = false;
            }
            for (place, of_cell) in lines.iter().enumerate() {
                let Some(line) = of_cell.get(n) else { continue };
                let style = if place == 0 { look.head } else { look.cell };
                self.cell(grid, place, leaves[place], line, n + 1 == of_cell.len(), style);
            }
            self.y += look.cell.line();
        }
        self.y += 4.0 + if whole { height - used } else { 0.0 };
        if look.ruled {
            self.draw(Drawn::Rule { y: self.y, thick: 0.7 });
            self.y += 4.0;
        }
        let mut row = Tagged::new(What::Row);
        for (place, leaf) in leaves.into_iter().enumerate() {
            row.push(Tagged::with(if place == 0 { What::RowName } else { What::Cell }, leaf));
        }
        row
    }

    fn cell(&mut self, grid: &Grid, place: usize, leaf: usize, line: &str, last: bool, style: Style) {
        let (x, width, figures) = grid.columns[place];
        let mut text = line.to_owned();
        let wide = style.face(self.faces).width(&text, style.size);
        if !last || text.is_empty() {
            text.push(' ');
        }
        let x = if figures { x + width - wide } else { x };
        let y = self.y + style.size;
        self.draw(Drawn::Words { leaf, x, y, style, text });
    }

    /// A picture with what it shows in words. `marks` are given where its upper left corner comes to stand.
    pub(super) fn picture(
        &mut self,
        words: String,
        height: f32,
        marks: impl FnOnce(&Faces, f32, f32) -> Vec<Mark>,
    ) {
        self.y += 6.0;
        self.room(height);
        let leaf = self.leaf();
        let marks = marks(self.faces, MARGIN, self.y);
        self.draw(Drawn::Picture { leaf, marks });
        self.y += height + 4.0;
        self.tags.push(Tagged::with(What::Figure(words), leaf));
    }
}

/// The leaf of what was read before.
pub(super) const REPEATED: usize = usize::MAX;

/// Where the columns of a table stand: each's beginning and width, and whether its cells stand at the right.
struct Grid {
    columns: Vec<(f32, f32, bool)>,
}

impl Grid {
    const GAP: f32 = 7.0;

    fn of(columns: &[Column]) -> Self {
        let all: f32 = columns.iter().map(|column| column.weight).sum();
        let room = INNER - Self::GAP * as_length(columns.len().saturating_sub(1));
        let mut x = MARGIN;
        let place = |column: &Column| {
            let width = room * column.weight / all;
            let placed = (x, width, column.figures);
            x += width + Self::GAP;
            placed
        };
        Self { columns: columns.iter().map(place).collect() }
    }

    fn wrapped_one(&self, faces: &Faces, place: usize, text: &str, style: Style) -> Vec<String> {
        style.face(faces).wrapped(text, style.size, self.columns[place].1)
    }

    fn wrapped<'t>(
        &self,
        faces: &Faces,
        cells: impl Iterator<Item = &'t str>,
        style: Style,
    ) -> Vec<Vec<String>> {
        cells.enumerate().map(|(place, cell)| self.wrapped_one(faces, place, cell, style)).collect()
    }
}

/// A number of lines or columns, of which there are few.
pub(super) fn as_length(of: usize) -> f32 {
    f32::from(u16::try_from(of).unwrap_or(u16::MAX))
}
