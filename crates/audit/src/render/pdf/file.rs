//! From pages to the file: PDF/UA-1 by krilla, with the same bytes for the same report.

use std::num::NonZeroU16;

use jiff::tz::TimeZone;
use krilla::{
    Document, SerializeSettings,
    color::rgb,
    configure::{Accessibility, ConfigurationBuilder},
    destination::XyzDestination,
    geom::{Path, PathBuilder, Point, Rect},
    metadata::{DateTime, Metadata},
    outline::{Outline, OutlineNode},
    page::PageSettings,
    paint::{Fill, LineCap, Stroke, StrokeDash},
    surface::Surface,
    tagging::{
        Artifact, ArtifactType, ContentTag, Identifier, ListNumbering, SpanTag, TableHeaderScope, Tag,
        TagGroup, TagTree,
    },
};
use tocsin_protocol::Timestamp;

use super::{
    face::Faces,
    paper::{
        BAND, Child, Colour, Drawn, HEIGHT, INNER, LINE, MARGIN, Mark, Paper, Place, REPEATED, Style, Tagged,
        WIDTH, What,
    },
};

/// What the whole of it says of itself.
pub(super) struct About {
    pub(super) title: String,
    /// What stands at the head of each page: that it is an exercise or a test.
    pub(super) marking: Option<&'static str>,
    /// The moment for which it holds; no clock is read.
    pub(super) as_of: Timestamp,
}

/// Writes the file.
pub(super) fn write(paper: Paper, about: &About) -> Result<Vec<u8>, String> {
    let builder = ConfigurationBuilder::new().with_accessibility_validator(Accessibility::UA1);
    let configuration = builder.finish().map_err(|why| format!("{why:?}"))?;
    let mut document =
        Document::new_with(SerializeSettings { configuration, ..SerializeSettings::default() });
    document.set_metadata(metadata(about));
    let Paper { faces, pages, tags, places, leaves, .. } = paper;
    let mut pen = Pen { faces, found: vec![Vec::new(); leaves] };
    let of = pages.len();
    for (n, page) in pages.iter().enumerate() {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or("a page has no size")?;
        let mut sheet = document.start_page_with(settings);
        let mut surface = sheet.surface();
        pen.frame(&mut surface, about, n + 1, of);
        for one in page {
            pen.one(&mut surface, one);
        }
        surface.finish();
        sheet.finish();
    }
    let mut tree = TagTree::new().with_lang(Some("en-GB".to_owned()));
    for tagged in tags {
        tree.push(pen.group(tagged));
    }
    document.set_tag_tree(tree);
    document.set_outline(outline(&places));
    document.finish().map_err(|why| format!("{why:?}"))
}

fn metadata(about: &About) -> Metadata {
    let at = about.as_of.to_zoned_datetime(TimeZone::UTC);
    let small = |n: i8| u8::try_from(n).unwrap_or_default();
    let date = DateTime::new(u16::try_from(at.year()).unwrap_or_default())
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Metadata::new()
        .title(about.title.clone())
        .language("en-GB".to_owned())
        .creator("Tocsin".to_owned())
        .creation_date(date)
        .document_id(format!("{} {}", about.title, about.as_of))
}

/// The headings, those of the second level under the first.
fn outline(places: &[Place]) -> Outline {
    let mut outline = Outline::new();
    let mut chapter: Option<OutlineNode> = None;
    for place in places {
        let to = XyzDestination::new(place.page, Point::from_xy(MARGIN, place.y));
        let node = OutlineNode::new(place.title.clone(), to).with_open(true);
        match &mut chapter {
            Some(chapter) if place.level > 1 => chapter.push_child(node),
            _ => {
                if let Some(before) = chapter.replace(node) {
                    outline.push_child(before);
                }
            }
        }
    }
    if let Some(last) = chapter {
        outline.push_child(last);
    }
    outline
}

/// Draws, and remembers which content each leaf of the tags has.
struct Pen<'f> {
    faces: &'f Faces,
    found: Vec<Vec<Identifier>>,
}

impl Pen<'_> {
    /// What every page has: the marking above, title and number below. It is no content.
    fn frame(&mut self, surface: &mut Surface, about: &About, number: usize, of: usize) {
        if let Some(marking) = about.marking {
            artifact(surface, ArtifactType::Header);
            let style = Style::STRONG;
            let wide = style.face(self.faces).width(marking, style.size);
            self.words(surface, (WIDTH - wide) / 2.0, 30.0, style, marking);
            surface.end_tagged();
        }
        artifact(surface, ArtifactType::Footer);
        let style = Style::NOTE;
        let numbered = format!("page {number} of {of}");
        let face = style.face(self.faces);
        let wide = face.width(&numbered, style.size);
        let title = face.wrapped(&about.title, style.size, INNER - wide - 20.0);
        self.words(surface, MARGIN, HEIGHT - 26.0, style, title.first().map_or("", String::as_str));
        self.words(surface, WIDTH - MARGIN - wide, HEIGHT - 26.0, style, &numbered);
        surface.end_tagged();
    }

    fn one(&mut self, surface: &mut Surface, drawn: &Drawn) {
        match drawn {
            Drawn::Words { leaf, x, y, style, text } => {
                if *leaf == REPEATED {
                    artifact(surface, ArtifactType::PaginationOther);
                } else {
                    let found = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
                    self.found[*leaf].push(found);
                }
                self.words(surface, *x, *y, *style, text);
                surface.end_tagged();
            }
            Drawn::Rule { y, thick } => {
                artifact(surface, ArtifactType::Layout);
                area(surface, (MARGIN, *y, INNER, *thick), LINE);
                surface.end_tagged();
            }
            Drawn::Band { y, height } => {
                artifact(surface, ArtifactType::Layout);
                area(surface, (MARGIN - 3.0, *y, INNER + 6.0, *height), BAND);
                surface.end_tagged();
            }
            Drawn::Picture { leaf, marks } => {
                let found = surface.start_tagged(ContentTag::Other);
                self.found[*leaf].push(found);
                for mark in marks {
                    self.mark(surface, mark);
                }
                surface.end_tagged();
            }
        }
    }

    fn words(&self, surface: &mut Surface, x: f32, y: f32, style: Style, text: &str) {
        let face = style.face(self.faces);
        surface.set_stroke(None);
        surface.set_fill(Some(fill(style.colour)));
        let text = face.known(text);
        surface.draw_glyphs(
            Point::from_xy(x, y),
            &face.glyphs(&text),
            face.font.clone(),
            &text,
            style.size,
            false,
        );
    }

    fn mark(&self, surface: &mut Surface, mark: &Mark) {
        match mark {
            Mark::Area { x, y, width, height, colour } => area(surface, (*x, *y, *width, *height), *colour),
            Mark::Path { points, close, fill, stroke, dash } => {
                let mut builder = PathBuilder::new();
                for (n, (x, y)) in points.iter().enumerate() {
                    if n == 0 { builder.move_to(*x, *y) } else { builder.line_to(*x, *y) }
                }
                if *close {
                    builder.close();
                }
                path(surface, builder.finish(), *fill, *stroke, *dash);
            }
            Mark::Circle { x, y, radius, fill, stroke } => {
                path(surface, circle(*x, *y, *radius), *fill, *stroke, 0.0);
            }
            Mark::Words { x, y, size, colour, text } => {
                self.words(surface, *x, *y, Style { size: *size, colour: *colour, ..Style::CELL }, text);
            }
        }
    }

    /// A tag as the file has it, with all content of its leaves.
    fn group(&mut self, tagged: Tagged) -> TagGroup {
        let mut group = match tagged.what {
            What::Heading(level, title) => {
                TagGroup::new(Tag::Hn(NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN), Some(title)))
            }
            What::Paragraph => TagGroup::new(Tag::P),
            What::List => TagGroup::new(Tag::L(ListNumbering::None)),
            What::Item => TagGroup::new(Tag::LI),
            What::ItemBody => TagGroup::new(Tag::LBody),
            What::Table => TagGroup::new(Tag::Table),
            What::Caption => TagGroup::new(Tag::Caption),
            What::Head => TagGroup::new(Tag::THead),
            What::Body => TagGroup::new(Tag::TBody),
            What::Row => TagGroup::new(Tag::TR),
            What::ColumnName => TagGroup::new(Tag::TH(TableHeaderScope::Column)),
            What::RowName => TagGroup::new(Tag::TH(TableHeaderScope::Row)),
            What::Cell => TagGroup::new(Tag::TD),
            What::Figure(words) => TagGroup::new(Tag::Figure(Some(words))),
        };
        for child in tagged.children {
            match child {
                Child::Tagged(tagged) => group.push(self.group(tagged)),
                Child::Leaf(leaf) => {
                    for found in std::mem::take(&mut self.found[leaf]) {
                        group.push(found);
                    }
                }
            }
        }
        group
    }
}

fn artifact(surface: &mut Surface, kind: ArtifactType) {
    surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(kind)));
}

fn fill((red, green, blue): Colour) -> Fill {
    Fill { paint: rgb::Color::new(red, green, blue).into(), ..Fill::default() }
}

fn area(surface: &mut Surface, (x, y, width, height): (f32, f32, f32, f32), colour: Colour) {
    // Nothing is drawn of what has no extent.
    if let Some(rect) = Rect::from_xywh(x, y, width, height) {
        let mut builder = PathBuilder::new();
        builder.push_rect(rect);
        path(surface, builder.finish(), Some(colour), None, 0.0);
    }
}

fn path(
    surface: &mut Surface,
    path: Option<Path>,
    inside: Option<Colour>,
    stroke: Option<(Colour, f32)>,
    dash: f32,
) {
    let Some(path) = path else { return };
    surface.set_fill(inside.map(fill));
    surface.set_stroke(stroke.map(|((red, green, blue), width)| Stroke {
        paint: rgb::Color::new(red, green, blue).into(),
        width,
        line_cap: LineCap::Butt,
        dash: (dash > 0.0).then(|| StrokeDash { array: vec![dash, dash * 0.6], offset: 0.0 }),
        ..Stroke::default()
    }));
    surface.draw_path(&path);
    surface.set_stroke(None);
}

/// Four curves that no eye tells from a circle.
fn circle(x: f32, y: f32, radius: f32) -> Option<Path> {
    let pull = radius * 0.552_285;
    let mut builder = PathBuilder::new();
    builder.move_to(x + radius, y);
    builder.cubic_to(x + radius, y + pull, x + pull, y + radius, x, y + radius);
    builder.cubic_to(x - pull, y + radius, x - radius, y + pull, x - radius, y);
    builder.cubic_to(x - radius, y - pull, x - pull, y - radius, x, y - radius);
    builder.cubic_to(x + pull, y - radius, x + radius, y - pull, x + radius, y);
    builder.close();
    builder.finish()
}
