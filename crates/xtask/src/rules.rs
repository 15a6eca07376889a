//! The rules of the architecture that no compiler keeps, as tests over `cargo metadata` and the files themselves.
//! What cargo-deny can keep (licences, bans, doubles, sources) stands in `.deny.toml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{
    place,
    workspace::{self, Package},
};

/// Our own packages.
fn packages() -> Vec<Package> {
    workspace::packages().unwrap()
}

/// The harness of the fuzz targets, which the tests of any package may use, and nothing else.
const HARNESS: &str = "tocsin-fuzz";

/// Which of ours each of ours may stand on; the last three wire the others together, and nothing stands on them.
fn arrows() -> BTreeMap<&'static str, Vec<&'static str>> {
    let services = [
        "tocsin-publisher",
        "tocsin-router",
        "tocsin-notifier",
        "tocsin-desk",
        "tocsin-audit",
        "tocsin-console",
    ];
    let ground = ["tocsin-protocol", "tocsin-duty", "tocsin-ledger"];
    let exchange = "tocsin-exchange";
    let mut arrows = BTreeMap::from([
        (exchange, vec!["tocsin-protocol"]),
        (HARNESS, Vec::new()),
        ("tocsin-protocol", Vec::new()),
        ("tocsin-duty", vec!["tocsin-protocol"]),
        ("tocsin-ledger", vec!["tocsin-protocol", "tocsin-duty"]),
        ("tocsin-provision", vec!["tocsin-protocol", "tocsin-ledger"]),
        ("tocsin-scenario", vec!["tocsin-protocol", "tocsin-duty"]),
    ]);
    arrows.extend(services.map(|service| (service, ground.to_vec())));
    arrows.extend(["tocsin", "tocsin-tests", "xtask"].map(|top| {
        (top, [&ground[..], &services[..], &["tocsin-provision", "tocsin-scenario", exchange]].concat())
    }));
    // What the public reads is written in the same forms as what goes out by hand.
    arrows.entry("tocsin-console").or_default().push(exchange);
    arrows
}

#[test]
fn arrows_run_one_way_and_no_service_imports_another() {
    let arrows = arrows();
    let packages = packages();
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, arrows.keys().copied().collect(), "every package has its place among the arrows");
    let mut wrong = Vec::new();
    for package in &packages {
        let may = &arrows[package.name.as_str()];
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            // A package's tests may ask for its own features.
            let own =
                dependency.kind.as_deref() == Some("dev") && [package.name.as_str(), HARNESS].contains(&to);
            if names.contains(to) && !may.contains(&to) && !own {
                wrong.push(format!("{} -> {to}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_ledger_knows_nats_and_only_the_notifier_knows_mail() {
    // The bench measures against both, and tests are hostile with them.
    let may = [("async-nats", "tocsin-ledger"), ("lettre", "tocsin-notifier")];
    let mut wrong = Vec::new();
    for package in packages() {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind.is_none()) {
            let owner = may.iter().find(|(library, _)| *library == dependency.name).map(|(_, owner)| *owner);
            if owner.is_some_and(|owner| ![owner, "xtask", "tocsin-tests"].contains(&package.name.as_str())) {
                wrong.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_audit_begins_with_nothing_that_was_kept() {
    let package = packages().into_iter().find(|package| package.name == "tocsin-audit").unwrap();
    let mut text = String::new();
    gather(&directory(&package).join("src"), &mut text);
    assert!(text.contains("Fold::new()"));
    for kept in [
        "find_snapshot",
        "follow_after",
        "follow_from_snapshot",
        "Fold::begun",
        "Fold::restored",
        "Fold::trusting",
    ] {
        assert!(!text.contains(kept), "{kept}: an audit reads everything and believes nothing");
    }
}

#[test]
fn the_pure_rooms_have_no_runtime_clock_or_chance() {
    for package in packages() {
        if !["tocsin-protocol", "tocsin-duty", "tocsin-exchange", "tocsin-scenario"]
            .contains(&package.name.as_str())
        {
            continue;
        }
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind.is_none()) {
            let name = dependency.name.as_str();
            assert!(
                !["tokio", "futures-util", "rand", "tracing", "rustls"].contains(&name),
                "{} has {name}",
                package.name
            );
        }
        let clippy = fs::read_to_string(directory(&package).join("clippy.toml")).unwrap();
        for method in ["jiff::Timestamp::now", "std::time::SystemTime::now", "std::time::Instant::now"] {
            assert!(clippy.contains(method), "the lints of {} allow {method}", package.name);
        }
    }
}

#[test]
fn every_crate_says_what_it_is_for_and_what_it_may_touch() {
    for package in packages() {
        let source = directory(&package).join("src");
        let root =
            ["lib.rs", "main.rs"].iter().find_map(|name| fs::read_to_string(source.join(name)).ok()).unwrap();
        let doc: Vec<&str> = root.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(doc.len() >= 3, "{} says too little of itself", package.name);
        assert!(doc.join(" ").contains("may touch"), "{} does not say what it may touch", package.name);
    }
}

#[test]
fn every_package_is_under_the_workspace_lints_and_licence() {
    for package in packages() {
        let manifest: toml::Table = fs::read_to_string(&package.manifest_path).unwrap().parse().unwrap();
        assert_eq!(manifest["lints"]["workspace"].as_bool(), Some(true), "{}", package.name);
        assert_eq!(manifest["package"]["license"]["workspace"].as_bool(), Some(true), "{}", package.name);
    }
}

/// What `xtask` names for a feature alone: see its manifest.
const FOR_A_FEATURE: [&str; 3] = ["getrandom", "hyper", "typenum"];

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for mut package in packages() {
        if package.name == "xtask" {
            package.dependencies.retain(|dependency| !FOR_A_FEATURE.contains(&dependency.name.as_str()));
        }
        let mut text = String::new();
        gather(directory(&package), &mut text);
        let words: BTreeSet<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        for dependency in &package.dependencies {
            let word = dependency.name.replace('-', "_");
            if !words.contains(word.as_str()) && dependency.name != package.name {
                unused.push(format!("{}: {}", package.name, dependency.name));
            }
        }
    }
    assert!(unused.is_empty(), "{unused:#?}");
}

/// Else half of the tree would be built twice in each run: once for this program, once for the tests.
#[test]
fn this_program_is_built_of_the_crates_that_the_tests_are_built_of() {
    let crates = |whose: &[&str]| -> BTreeSet<String> {
        let shown = ["tree", "--locked", "--prefix", "none", "--format", "{p} {f}"];
        let told = workspace::cargo(&[&shown[..], whose].concat()).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let told = String::from_utf8(told.stdout).unwrap();
        told.lines().map(|line| line.trim_end_matches("(*)").trim_end().to_owned()).collect()
    };
    let own = crates(&["--package", "xtask", "--edges", "normal,build,no-proc-macro"]);
    let of_tests = crates(&["--workspace", "--edges", "normal,build,dev,no-proc-macro"]);
    let otherwise: Vec<&String> = own.difference(&of_tests).collect();
    assert!(otherwise.is_empty(), "name the features that the tests' libraries ask for: {otherwise:#?}");
}

#[test]
fn every_version_shared_by_the_workspace_is_taken_by_a_package() {
    let manifest: toml::Table =
        fs::read_to_string(place::root().join("Cargo.toml")).unwrap().parse().unwrap();
    let shared = manifest["workspace"]["dependencies"].as_table().unwrap();
    let packages = packages();
    let taken: BTreeSet<&str> = packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .collect();
    let idle: Vec<&String> = shared.keys().filter(|name| !taken.contains(name.as_str())).collect();
    assert!(idle.is_empty(), "{idle:?}");
}

#[test]
fn the_top_level_is_short() {
    let known = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "crates",
        "deploy",
        "rust-toolchain.toml",
        "schemas",
        "target",
        "tests",
    ];
    for entry in fs::read_dir(place::root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name.starts_with('.') || known.contains(&name.as_str()), "{name} has no place at the top");
    }
}

fn directory(package: &Package) -> &Path {
    package.manifest_path.parent().unwrap()
}

/// The text of every Rust file at or under `path`, if there is any.
fn gather(path: &Path, text: &mut String) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            gather(&entry.unwrap().path(), text);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && path.is_file() {
        text.push_str(&fs::read_to_string(path).unwrap());
        text.push('\n');
    }
}
