//! axe-core: what machines can see of the Web Content Accessibility Guidelines.

use serde_json::{Value, json};

use super::{Browser, Scheme, given};

/// The levels A and AA of WCAG 2.0, 2.1 and 2.2.
const TAGS: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

impl Browser {
    /// Holds the page as it stands against the guidelines, in light and in dark, and gives every violation.
    pub async fn barriers(&self, page: &str) -> Vec<String> {
        let mut barriers = Vec::new();
        for scheme in [Scheme::Dark, Scheme::Light] {
            self.prefer(scheme).await;
            let found = self.violations().await;
            barriers.extend(found.iter().map(|violation| format!("{page}, {scheme:?}:\n{violation}")));
        }
        barriers
    }

    /// Every violation, with where it is.
    pub async fn violations(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(given("TOCSIN_AXE")).unwrap();
        self.run(&format!("{axe}; return true"), json!([])).await;
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { runOnly: arguments[0], resultTypes: ['violations'] })
                .then(found => done({ rules: found.passes.length + found.violations.length, violations: found.violations }))
                .catch(why => done({ why: String(why) }));";
        let found = self.post("execute/async", json!({ "script": script, "args": [TAGS] })).await;
        assert!(
            found["rules"].as_u64().is_some_and(|rules| rules > 5),
            "axe did not look at the page: {found}"
        );
        found["violations"].as_array().unwrap().iter().map(told).collect()
    }
}

fn told(violation: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
    let nodes: Vec<String> = nodes
        .iter()
        .map(|node| {
            format!("    {}\n      {}", word(&node["html"]), word(&node["failureSummary"]).replace('\n', " "))
        })
        .collect();
    format!("  {}: {}\n{}", word(&violation["id"]), word(&violation["help"]), nodes.join("\n"))
}
