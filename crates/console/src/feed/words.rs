//! The fixed words of what the public reads, in each language that there is a Fluent file for.

use std::{collections::BTreeMap, fs, path::Path};

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use tocsin_protocol::Language;

use crate::{config::Config, error::Error};

/// What is built in.
const SHIPPED: [(&str, &str); 2] =
    [("en", include_str!("../../words/en.ftl")), ("cy", include_str!("../../words/cy.ftl"))];
/// The largest file of words, in bytes.
const LARGEST: u64 = 256 * 1024;
/// The most preferences of a reader that are looked at.
const PREFERENCES: usize = 20;

type Bundle = FluentBundle<FluentResource>;

/// The words of every language. There are English ones at least.
pub(crate) struct Words {
    all: BTreeMap<Language, Bundle>,
    english: Language,
}

/// Words in a language: the one that was asked for, or English where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Phrase {
    pub(crate) text: String,
    /// Its language, where that is not the page's.
    pub(crate) lang: Option<String>,
}

impl Words {
    /// Those that are built in, and over them the files of the configuration's directory.
    ///
    /// # Errors
    /// [`Error::File`] for a file whose name is no language, or that is no Fluent.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let wrong =
            |path: &Path, why: String| Error::File { field: "words".to_owned(), path: path.to_owned(), why };
        let mut all = BTreeMap::new();
        for (tag, text) in SHIPPED {
            add(&mut all, tag, text.to_owned()).map_err(|why| wrong(Path::new(tag), why))?;
        }
        if let Some(directory) = &config.words {
            let io = |why: std::io::Error| wrong(directory, format!("it cannot be read: {why}"));
            let mut files: Vec<_> = Vec::new();
            for entry in fs::read_dir(directory).map_err(io)? {
                files.push(entry.map_err(io)?.path());
            }
            files.sort();
            for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "ftl")) {
                let tag = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
                let size = fs::metadata(file).map(|about| about.len());
                let text = match size {
                    Ok(size) if size > LARGEST => {
                        Err(format!("it is {size} bytes long and may be {LARGEST}"))
                    }
                    _ => fs::read_to_string(file).map_err(|why| format!("it cannot be read: {why}")),
                };
                text.and_then(|text| add(&mut all, tag, text)).map_err(|why| wrong(file, why))?;
            }
        }
        let english =
            Language::new(Language::ENGLISH).map_err(|why| wrong(Path::new("en.ftl"), why.to_string()))?;
        Ok(Self { all, english })
    }

    /// The language of what is said where no other is named.
    pub(crate) fn english(&self) -> &Language {
        &self.english
    }

    /// The languages that there are, each with its own name for itself.
    pub(crate) fn languages(&self) -> Vec<(&Language, String)> {
        self.all.keys().map(|language| (language, self.text(language, "language-name", &[]))).collect()
    }

    /// The language that a reader is served: the one that was asked for by name, else the best of what the browser says
    /// it reads, else English.
    pub(crate) fn chosen(&self, asked: Option<&str>, accepted: Option<&str>) -> &Language {
        let mut wanted =
            asked.into_iter().map(str::to_owned).chain(preferences(accepted.unwrap_or_default()));
        wanted.find_map(|tag| self.nearest(&tag)).unwrap_or(&self.english)
    }

    /// The language of that tag, or of its first part.
    fn nearest(&self, tag: &str) -> Option<&Language> {
        let primary = tag.split('-').next().unwrap_or_default();
        let exact = self.all.keys().find(|language| language.as_str().eq_ignore_ascii_case(tag));
        exact.or_else(|| self.all.keys().find(|language| language.as_str().eq_ignore_ascii_case(primary)))
    }

    /// A fixed phrase, marked where it is not in that language.
    pub(crate) fn phrase(&self, language: &Language, name: &str, with: &[(&str, &str)]) -> Phrase {
        if let Some(text) = self.all.get(language).and_then(|words| said(words, name, with)) {
            return Phrase { text, lang: None };
        }
        let english = self.all.get(&self.english).and_then(|words| said(words, name, with));
        let lang = Some(self.english.to_string()).filter(|_| *language != self.english);
        // That each name has its English words is what a test holds.
        Phrase { text: english.unwrap_or_else(|| name.to_owned()), lang }
    }

    /// A fixed phrase where it cannot be marked.
    pub(crate) fn text(&self, language: &Language, name: &str, with: &[(&str, &str)]) -> String {
        self.phrase(language, name, with).text
    }
}

fn add(all: &mut BTreeMap<Language, Bundle>, tag: &str, text: String) -> Result<(), String> {
    let language = Language::new(tag).map_err(|why| format!("its name is no language: {why}"))?;
    let resource = FluentResource::try_new(text).map_err(|(_, faults)| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        format!("it is no Fluent file: {first}")
    })?;
    let locale = tag.parse().map_err(|_| "its name is no language".to_owned())?;
    let bundle = all.entry(language).or_insert_with(|| {
        let mut bundle = Bundle::new_concurrent(vec![locale]);
        // The marks around what is filled in are for scripts that run both ways; a feed's reader shows them as dirt.
        bundle.set_use_isolating(false);
        bundle
    });
    bundle.add_resource_overriding(resource);
    Ok(())
}

fn said(words: &Bundle, name: &str, with: &[(&str, &str)]) -> Option<String> {
    let pattern = words.get_message(name)?.value()?;
    let mut args = FluentArgs::new();
    for (name, value) in with {
        args.set(*name, *value);
    }
    let mut faults = Vec::new();
    let text = words.format_pattern(pattern, Some(&args), &mut faults).into_owned();
    faults.is_empty().then_some(text)
}

/// What a browser says that it reads (RFC 9110, 12.5.4), the best first.
fn preferences(accepted: &str) -> Vec<String> {
    let mut all: Vec<(String, f32)> = accepted
        .split(',')
        .take(PREFERENCES)
        .filter_map(|one| {
            let (tag, weight) = one.split_once(';').unwrap_or((one, ""));
            let weight =
                weight.trim().strip_prefix("q=").map_or(Some(1.0), |text| text.trim().parse().ok())?;
            (weight > 0.0 && weight <= 1.0).then(|| (tag.trim().to_owned(), weight))
        })
        .collect();
    // Stable: of two alike the first is the better.
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.into_iter().map(|(tag, _)| tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(words: Option<&Path>) -> Config {
        Config { words: words.map(Path::to_owned), ..Config::of("accounts.toml".into()) }
    }

    fn tag(text: &str) -> Language {
        Language::new(text).unwrap()
    }

    fn names(text: &str) -> Vec<String> {
        text.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn welsh_says_all_that_english_says() {
        assert_eq!(names(SHIPPED[0].1), names(SHIPPED[1].1));
        let words = Words::open(&config(None)).unwrap();
        let with = [("time", "T"), ("sender", "S"), ("areas", "A"), ("headline", "H")];
        for name in names(SHIPPED[0].1) {
            for language in ["en", "cy"] {
                let phrase = words.phrase(&tag(language), &name, &with);
                assert!(phrase.lang.is_none() && !phrase.text.contains(['{', '$']), "{phrase:?}");
            }
        }
    }

    #[test]
    fn the_reader_is_served_what_was_asked_for_or_what_the_browser_reads_best() {
        let words = Words::open(&config(None)).unwrap();
        for (asked, accepted, served) in [
            (None, None, "en"),
            (None, Some("cy"), "cy"),
            (None, Some("cy-GB,cy;q=0.9,en;q=0.8"), "cy"),
            (None, Some("en-GB,cy;q=0.9"), "en"),
            (None, Some("fr, cy;q=0.1"), "cy"),
            (None, Some("cy;q=0, en"), "en"),
            (None, Some("cy;q=nonsense"), "en"),
            (None, Some(";;,,q=,\u{fffd}"), "en"),
            (Some("cy"), Some("en"), "cy"),
            (Some("xx"), Some("cy"), "cy"),
            (Some("../../etc"), None, "en"),
        ] {
            assert_eq!(words.chosen(asked, accepted).as_str(), served, "{asked:?} {accepted:?}");
        }
    }

    #[test]
    fn a_nation_adds_its_own_words_and_what_it_leaves_out_is_english_and_marked() {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        put("gd.ftl", "language-name = G\u{e0}idhlig\n");
        put("en.ftl", "none = All is well.\n");
        put("notes.txt", "not words");
        let words = Words::open(&config(Some(directory.path()))).unwrap();
        let told: Vec<_> = words.languages().into_iter().map(|(tag, name)| format!("{tag} {name}")).collect();
        assert_eq!(told, ["cy Cymraeg", "en English", "gd G\u{e0}idhlig"]);
        let phrase = words.phrase(&tag("gd"), "none", &[]);
        assert_eq!(phrase, Phrase { text: "All is well.".to_owned(), lang: Some("en".to_owned()) });
        assert_eq!(
            words.text(&tag("en"), "over", &[]),
            "This is over.",
            "the rest of a file stays as it was"
        );

        for (name, text) in [("Welsh.ftl", "a = b\n"), ("fr.ftl", "no fluent at all\n")] {
            put(name, text);
            let why = Words::open(&config(Some(directory.path()))).err().unwrap().to_string();
            assert!(why.contains(name), "{why}");
            fs::remove_file(directory.path().join(name)).unwrap();
        }
        assert!(Words::open(&config(Some(Path::new("/nowhere")))).is_err());
    }
}
