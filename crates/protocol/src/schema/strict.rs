//! JSON, read strictly: the signed bytes must mean one thing to every reader.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    kind::Kind,
    place::{self, Place},
    problem::{MAX_PROBLEMS, Problem},
};
use crate::error::shown;

/// How deep lists and objects may stand in each other.
pub const MAX_DEPTH: usize = 16;

/// What a text holds, and what is wrong with it as JSON.
pub(super) struct Read {
    /// The value, when the text is JSON; of a key said twice, the first.
    pub(super) value: Option<Value>,
    /// Why it is not, or what in it could be read in two ways.
    pub(super) problems: Vec<Problem>,
}

/// Reads a text as the body of a kind.
pub(super) fn read(kind: Kind, text: &str) -> Read {
    let reader = Reader { kind, place: &Place::Root, depth: 0, problems: &RefCell::default() };
    let problems = reader.problems;
    let mut json = serde_json::Deserializer::from_str(text);
    match reader.deserialize(&mut json).and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Read { value: Some(value), problems: problems.take() },
        Err(why) => {
            let deep = problems.take().into_iter().find(|problem| problem.keyword == "maxDepth");
            let what =
                || Problem::of_body(kind, "json", &format!("is not JSON: {}", shown(&why.to_string())));
            Read { value: None, problems: vec![deep.unwrap_or_else(what)] }
        }
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    kind: Kind,
    place: &'a Place<'a>,
    depth: usize,
    problems: &'a RefCell<Vec<Problem>>,
}

impl Reader<'_> {
    fn note(&self, keyword: &str, what: &str) {
        let pointer = self.place.pointer();
        let mut problems = self.problems.borrow_mut();
        if problems.len() <= MAX_PROBLEMS {
            let message = format!("{}: {what}", place::field(&pointer));
            problems.push(Problem { pointer, keyword: keyword.to_owned(), message });
        }
    }

    /// The depth of what stands inside this.
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        if self.depth < MAX_DEPTH {
            return Ok(self.depth + 1);
        }
        let what = format!("has more than {MAX_DEPTH} lists and objects in each other");
        self.problems.borrow_mut().push(Problem::of_body(self.kind, "maxDepth", &what));
        Err(E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let Some(number) = serde_json::Number::from_f64(value) else {
            return Err(E::custom("number out of range"));
        };
        if !self.kind.has_fractions() {
            // JSON Schema takes 1.0 and 1e0 for the whole number 1; a reader that does not would read another fact.
            self.note("type", &format!("{number} is not a plain whole number: write digits only"));
        }
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) =
            list.next_element_seed(Reader { place: &Place::Index(self.place, values.len()), depth, ..self })?
        {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut values = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            let below = Reader { place: &Place::Key(self.place, &key), depth, ..self };
            let value = object.next_value_seed(below)?;
            if values.contains_key(&key) {
                below.note(
                    "duplicateKey",
                    "is given twice: give it once, as readers differ in which they take",
                );
            } else {
                values.insert(key, value);
            }
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(text: &str) -> Vec<(String, String)> {
        read(Kind::Event, text)
            .problems
            .into_iter()
            .map(|problem| (problem.pointer, problem.keyword))
            .collect()
    }

    #[test]
    fn a_key_said_twice_is_found_wherever_it_stands() {
        assert_eq!(
            keywords(r#"{"a":1,"b":[{"c":1,"\u0063":2}],"a":2}"#),
            [("/b/0/c".to_owned(), "duplicateKey".to_owned()), ("/a".to_owned(), "duplicateKey".to_owned()),]
        );
    }

    #[test]
    fn a_number_is_written_in_digits_only() {
        assert_eq!(keywords(r#"{"a":18446744073709551615,"b":-3}"#), []);
        for number in ["1.0", "1e0", "-0", "18446744073709551616"] {
            let found = keywords(&format!(r#"{{"a":{number}}}"#));
            assert_eq!(found, [("/a".to_owned(), "type".to_owned())], "{number}");
        }
    }

    #[test]
    fn depth_is_bounded_before_the_stack_is() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(keywords(&nested(MAX_DEPTH)), []);
        for depth in [MAX_DEPTH + 1, 100_000] {
            assert_eq!(keywords(&nested(depth)), [(String::new(), "maxDepth".to_owned())]);
        }
    }

    #[test]
    fn what_serde_json_reads_is_what_is_read() {
        let text = r#"{"a":[1,-2,true,false,null,"\u00e9",{}],"b":{"c":"d"}}"#;
        assert_eq!(read(Kind::Event, text).value, serde_json::from_str(text).ok());
    }
}
