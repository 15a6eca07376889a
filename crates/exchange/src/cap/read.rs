//! A CAP message of anybody, taken apart: every word of it is in one field or another, so that none gets lost.

use roxmltree::{Document, Node, ParsingOptions};

use super::{CapStatus, MAX_BYTES, MessageType, NAMESPACE};
use crate::error::Error;

/// The most elements, texts and comments of a message.
const NODES: u32 = 50_000;

/// A name, and what stands there.
pub(super) type Pair = (String, String);

/// A message. What is in `rest` has no field of its own here.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) identifier: String,
    pub(super) sender: String,
    pub(super) sent: String,
    pub(super) status: CapStatus,
    pub(super) what: MessageType,
    pub(super) rest: Vec<Pair>,
    pub(super) blocks: Vec<Block>,
}

/// An `info`.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) rest: Vec<Pair>,
    pub(super) parameters: Vec<Pair>,
    pub(super) places: Vec<Place>,
}

/// An `area`.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) geocodes: Vec<Pair>,
    pub(super) rest: Vec<Pair>,
}

/// The first of these that has that name, taken out.
pub(super) fn take(from: &mut Vec<Pair>, name: &str) -> Option<String> {
    let at = from.iter().position(|(of, _)| of == name)?;
    Some(from.remove(at).1)
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// When the bytes are no CAP 1.2 message, or one that is not whole.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let text = text(bytes)?;
        let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|why| match why {
            roxmltree::Error::DtdDetected => Error::Doctype,
            why => Error::Xml { why: why.to_string() },
        })?;
        let root = document.root_element();
        is_cap(root)?;
        let (mut rest, mut blocks) = (Vec::new(), Vec::new());
        for child in root.children().filter(Node::is_element) {
            match named(child) {
                Some("info") => blocks.push(block(child)),
                _ => lay(child, "", &mut rest),
            }
        }
        let mut need = |name: &str| {
            let found = take(&mut rest, name).map(|text| text.trim().to_owned());
            found.filter(|text| !text.is_empty()).ok_or_else(|| broken(format!("it has no <{name}>")))
        };
        let (identifier, sender, sent) = (need("identifier")?, need("sender")?, need("sent")?);
        let (status, what) = (need("status")?, need("msgType")?);
        let status = CapStatus::read(&status).ok_or_else(|| closed("status", &status, CapStatus::WORDS))?;
        let what = MessageType::read(&what).ok_or_else(|| closed("msgType", &what, MessageType::WORDS))?;
        Ok(Self { identifier, sender, sent, status, what, rest, blocks })
    }
}

fn broken(why: String) -> Error {
    Error::Broken { why }
}

fn closed(name: &str, found: &str, words: &[&str]) -> Error {
    let found: String = found.chars().take(40).collect();
    broken(format!("<{name}> is {found:?} and may be one of: {}", words.join(", ")))
}

/// The text, in the one encoding that is read.
fn text(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge { bytes: bytes.len(), most: MAX_BYTES });
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || bytes.contains(&0) {
        return Err(Error::Encoding { why: "it looks like UTF-16 or UTF-32".to_owned() });
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|why| Error::Encoding { why: format!("byte {} cannot stand there", why.valid_up_to()) })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let declared = declared(text).map(str::to_ascii_uppercase);
    match declared.as_deref() {
        // ASCII means the same in each of these; other bytes would be taken for other letters.
        None | Some("UTF-8" | "UTF8" | "US-ASCII" | "ASCII") => Ok(text),
        Some(_) if text.is_ascii() => Ok(text),
        Some(other) => Err(Error::Encoding {
            why: format!("its first line says that it is {}", other.chars().take(20).collect::<String>()),
        }),
    }
}

/// The encoding that the XML declaration names.
fn declared(text: &str) -> Option<&str> {
    let declaration = text.strip_prefix("<?xml")?.split_once("?>")?.0;
    let after = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    after[1..].split_once(quote).map(|(name, _)| name)
}

fn is_cap(root: Node) -> Result<(), Error> {
    let (namespace, name) = (root.tag_name().namespace().unwrap_or_default(), root.tag_name().name());
    let shown: String = name.chars().take(40).collect();
    let why = match (namespace, name) {
        (NAMESPACE, "alert") => return Ok(()),
        (_, "EDXLDistribution") => "it is an EDXL envelope: give the <alert> in it alone".to_owned(),
        (_, "feed" | "rss") => "it is a feed: give one message of it".to_owned(),
        (other, "alert") if other.starts_with("urn:oasis:names:tc:emergency:cap:") => {
            format!("it is CAP {}", other.rsplit(':').next().unwrap_or_default())
        }
        (_, "alert") => format!("its namespace is not {NAMESPACE}"),
        _ => format!("its outermost element is <{shown}> and should be <alert>"),
    };
    Err(Error::NotCap { why })
}

/// The name of a CAP element; nothing for what is another's.
fn named<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    (node.tag_name().namespace() == Some(NAMESPACE)).then(|| node.tag_name().name())
}

/// All text at and under a node.
fn whole(node: Node) -> String {
    node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect()
}

/// What stands at and under a node, by name. What is another's is named with its namespace.
fn lay(node: Node, within: &str, into: &mut Vec<Pair>) {
    let Some(own) = named(node) else {
        let space = node.tag_name().namespace().unwrap_or("no namespace");
        // A signature, mostly: its text is worth nothing once the message is taken apart, so one line says enough.
        into.push((format!("{} ({space})", node.tag_name().name()), whole(node)));
        return;
    };
    let own = own.to_owned();
    let name = if within.is_empty() { own } else { format!("{within}.{own}") };
    let inner: Vec<Node> = node.children().filter(Node::is_element).collect();
    match pair(&inner) {
        Some((of, value)) => into.push((format!("{name} {}", of.trim()), value)),
        None if inner.is_empty() => into.push((name, whole(node))),
        // Two levels are all that CAP has: what is deeper is taken as it stands.
        None if within.is_empty() => inner.into_iter().for_each(|child| lay(child, &name, into)),
        None => into.push((name, whole(node))),
    }
}

/// A `valueName` and its `value`.
fn pair(inner: &[Node]) -> Option<Pair> {
    match inner {
        [of, value] if named(*of) == Some("valueName") && named(*value) == Some("value") => {
            Some((whole(*of), whole(*value)))
        }
        _ => None,
    }
}

fn block(node: Node) -> Block {
    let mut block = Block::default();
    for child in node.children().filter(Node::is_element) {
        let inner: Vec<Node> = child.children().filter(Node::is_element).collect();
        match (named(child), pair(&inner)) {
            (Some("parameter"), Some(pair)) => block.parameters.push(pair),
            (Some("area"), _) => block.places.push(place(child)),
            _ => lay(child, "", &mut block.rest),
        }
    }
    block
}

fn place(node: Node) -> Place {
    let mut place = Place::default();
    for child in node.children().filter(Node::is_element) {
        let inner: Vec<Node> = child.children().filter(Node::is_element).collect();
        match (named(child), pair(&inner)) {
            (Some("geocode"), Some(pair)) => place.geocodes.push(pair),
            (Some("areaDesc"), _) if place.name.is_empty() => place.name = whole(child),
            _ => lay(child, "", &mut place.rest),
        }
    }
    place
}
