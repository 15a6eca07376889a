//! A Debian package of the program: its units, its user, the runbook and what is deployed beside it.
//!
//! It is written by `dpkg-deb` from a tree laid out here. Nothing of it starts by itself: a router without a bus, a key and a
//! directory is of no use, and which services run where is the administrator's choice. What runs is started anew with a new
//! version, but for the bus, and ended with the package; the record, the keys and the configuration are never removed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    error::{Attempt, Error},
    place,
    workspace::cargo,
};

/// What is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Package this program, instead of building it for release first
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the package is put
    #[arg(long, value_name = "DIR", default_value = "target/debian")]
    out: PathBuf,
}

/// After it is unpacked: its user, and a place for its configuration. `DPKG_ROOT` is where another system is installed.
const AFTER: &str = r#"#!/bin/sh
set -e
root="${DPKG_ROOT:-}"
if [ "$1" = configure ]; then
    if command -v systemd-sysusers >/dev/null; then
        systemd-sysusers --root="${root:-/}" tocsin.conf
    fi
    mkdir -p "$root/etc/tocsin"
    if [ -z "$root" ]; then
        if getent group tocsin >/dev/null; then
            chown root:tocsin /etc/tocsin
            chmod 750 /etc/tocsin
        fi
        if [ -d /run/systemd/system ]; then
            systemctl daemon-reload
            # After an upgrade. Nobody waits for them: each waits for its bus as long as that takes.
            if [ -n "$2" ]; then systemctl try-restart --no-block ANEW; fi
        fi
    fi
fi
"#;

/// Before it is removed.
const BEFORE_REMOVAL: &str = r#"#!/bin/sh
set -e
if [ "$1" = remove ] && [ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]; then
    systemctl stop ALL
fi
"#;

/// After it is removed. Nothing that an administrator or a service wrote is deleted.
const AFTER_REMOVAL: &str = r#"#!/bin/sh
set -e
root="${DPKG_ROOT:-}"
if [ "$1" = purge ]; then
    for unit in ALL; do
        rm -f "$root"/etc/systemd/system/*.wants/"$unit"
    done
    if [ -d "$root/etc/tocsin" ]; then rmdir --ignore-fail-on-non-empty "$root/etc/tocsin"; fi
    echo "tocsin: what stands in /etc/tocsin and /var/lib/tocsin* is left: keys and the record are yours to delete"
fi
if [ -z "$root" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
"#;

/// Who has the record and the desks' connections: an upgrade of ours is no reason to interrupt it.
const BUS: &str = "tocsin-nats.service";

/// Makes the package.
///
/// # Errors
/// When the program does not build, or `dpkg-deb` is not there or refuses.
pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    let out = place::root().join(&options.out);
    let architecture = told(Command::new("dpkg").arg("--print-architecture"))?;
    let name = format!("tocsin_{}_{}", env!("CARGO_PKG_VERSION"), architecture.trim());
    let tree = out.join(&name);
    if tree.exists() {
        fs::remove_dir_all(&tree).attempt(format!("remove {}", tree.display()))?;
    }
    lay_out(&tree, &program)?;
    let size = size(&tree)?.div_ceil(1024);
    let symbols = told(Command::new("objdump").arg("--dynamic-syms").arg(tree.join("usr/bin/tocsin")))?;
    let control = control(architecture.trim(), size, &depends(&symbols));
    write(&tree.join("DEBIAN/control"), control, 0o644)?;
    let units = units()?;
    for (file, script) in [("postinst", AFTER), ("prerm", BEFORE_REMOVAL), ("postrm", AFTER_REMOVAL)] {
        write(&tree.join("DEBIAN").join(file), naming(script, &units), 0o755)?;
    }
    let package = out.join(format!("{name}.deb"));
    told(Command::new("dpkg-deb").args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&package))?;
    fs::remove_dir_all(&tree).attempt(format!("remove {}", tree.display()))?;
    println!("{}", package.display());
    Ok(())
}

fn build() -> Result<PathBuf, Error> {
    let mut build = cargo(&["build", "--locked", "--release", "--package", "tocsin"]);
    let status = build.status().attempt("run cargo")?;
    if !status.success() {
        return Err(Error::told(format!("tocsin does not build ({status})")));
    }
    Ok(place::target().join("release/tocsin"))
}

/// The names of all units.
fn units() -> Result<Vec<String>, Error> {
    let units = files(&place::root().join("deploy/systemd"))?;
    Ok(units.iter().filter(|unit| is_unit(unit)).map(|unit| name(unit)).collect())
}

fn is_unit(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "service" || end == "timer")
}

/// A script of the package's, with the units that it speaks of. What a timer starts is not to be started by an upgrade.
fn naming(script: &str, units: &[String]) -> String {
    let timed = |unit: &String| units.contains(&unit.replace(".service", ".timer"));
    let anew: Vec<_> = units.iter().filter(|unit| !timed(unit) && *unit != BUS).cloned().collect();
    script.replace("ALL", &units.join(" ")).replace("ANEW", &anew.join(" "))
}

/// Everything but what dpkg wants to know.
fn lay_out(tree: &Path, program: &Path) -> Result<(), Error> {
    let root = place::root();
    let deploy = root.join("deploy");
    let installed = tree.join("usr/bin/tocsin");
    copy(program, &installed, 0o755)?;
    // What a debugger would want is most of it.
    told(Command::new("strip").arg("--strip-debug").arg(&installed))?;
    for unit in files(&deploy.join("systemd"))? {
        let to = if is_unit(&unit) {
            tree.join("usr/lib/systemd/system").join(name(&unit))
        } else {
            tree.join("usr/lib/sysusers.d/tocsin.conf")
        };
        copy(&unit, &to, 0o644)?;
    }
    for page in ["INSTALL.md", "RUNBOOK.md"] {
        copy(&deploy.join(page), &tree.join("usr/share/doc/tocsin").join(page), 0o644)?;
    }
    copy(&root.join("README.md"), &tree.join("usr/share/doc/tocsin/README.md"), 0o644)?;
    let licences = ["LICENSE-MIT", "LICENSE-APACHE"].map(|file| fs::read_to_string(root.join(file)));
    let [mit, apache] = licences;
    let both = format!(
        "Tocsin is licensed under either of these, as you choose.\n\n{}\n\n{}",
        mit.attempt("read LICENSE-MIT")?,
        apache.attempt("read LICENSE-APACHE")?
    );
    write(&tree.join("usr/share/doc/tocsin/copyright"), &both, 0o644)?;
    for part in ["directory", "policy", "nats", "monitoring"] {
        for file in files(&deploy.join(part))? {
            copy(&file, &tree.join("usr/share/tocsin/deploy").join(part).join(name(&file)), 0o644)?;
        }
    }
    copy(&deploy.join("tocsin.toml"), &tree.join("usr/share/tocsin/deploy/tocsin.toml"), 0o644)
}

/// What the program asks of the system's C library: the newest version of it that a symbol names. A static program asks
/// nothing.
fn depends(symbols: &str) -> String {
    let number = |text: &str| text.parse::<u32>().ok();
    let versions = symbols.split("(GLIBC_").skip(1).filter_map(|rest| {
        let (version, _) = rest.split_once(')')?;
        let (major, minor) = version.split_once('.')?;
        Some((number(major)?, number(minor.split('.').next()?)?))
    });
    match versions.max() {
        Some((major, minor)) => format!("Depends: libc6 (>= {major}.{minor}), libgcc-s1\n"),
        None => String::new(),
    }
}

fn control(architecture: &str, kilobytes: u64, depends: &str) -> String {
    format!(
        "Package: tocsin
Version: {}
Architecture: {architecture}
Maintainer: Tocsin <maintainers@tocsin.example>
Installed-Size: {kilobytes}
{depends}Recommends: chrony, systemd
Section: net
Priority: optional
Description: alarm bus between an emergency call service and who must know
 When the service that answers 999 or 112 fails, Tocsin tells everyone who must
 know, follows who has acknowledged, writes to who is silent, and keeps the
 record. It needs nats-server 2.12 or newer, which Debian does not have: put
 one at /usr/bin/nats-server where the bus is to run.
 .
 No service is started by installing it: /usr/share/doc/tocsin/INSTALL.md says
 how each is set up, RUNBOOK.md beside it what to do when one fails.
",
        env!("CARGO_PKG_VERSION")
    )
}

fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let all: Result<Vec<_>, _> =
        fs::read_dir(dir).and_then(|files| files.map(|file| file.map(|file| file.path())).collect());
    let mut all = all.attempt(format!("list {}", dir.display()))?;
    all.retain(|file| file.is_file());
    all.sort();
    Ok(all)
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), Error> {
    let bytes = fs::read(from).attempt(format!("read {}", from.display()))?;
    write(to, bytes, mode)
}

fn write(to: &Path, bytes: impl AsRef<[u8]>, mode: u32) -> Result<(), Error> {
    let written = || {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(to, bytes)?;
        fs::set_permissions(to, fs::Permissions::from_mode(mode))
    };
    written().attempt(format!("write {}", to.display()))
}

fn size(tree: &Path) -> Result<u64, Error> {
    let told = told(Command::new("du").args(["--bytes", "--summarize"]).arg(tree))?;
    told.split_whitespace()
        .next()
        .and_then(|bytes| bytes.parse().ok())
        .ok_or_else(|| Error::told("du told no size"))
}

/// What a program prints, when it succeeds.
fn told(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .attempt(format!("run {program} (on Debian: dpkg, dpkg-dev and binutils have what this needs)"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Error::told(format!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_depends_on_the_newest_c_library_that_its_program_asks_for() {
        let symbols =
            "0 DF *UND* 0 (GLIBC_2.9) a\n0 DF *UND* 0 (GLIBC_2.35) b\n0 DF *UND* 0 (GLIBC_2.2.5) c\n";
        assert_eq!(depends(symbols), "Depends: libc6 (>= 2.35), libgcc-s1\n");
        assert_eq!(depends("not a dynamic object"), "");
        let control = control("amd64", 1, &depends(symbols));
        assert!(control.contains("\nDepends: libc6 (>= 2.35), libgcc-s1\nRecommends: "), "{control}");
    }

    #[test]
    fn an_upgrade_starts_anew_what_runs_and_a_removal_ends_everything_and_deletes_nothing() {
        let units = units().unwrap();
        assert!(units.len() > 8, "{units:?}");
        let after = naming(AFTER, &units);
        assert!(after.contains("tocsin-router.service tocsin-watch.service; fi"), "{after}");
        for not in [BUS, "tocsin-backup.service", "ANEW"] {
            assert!(!after.contains(not), "{not}: {after}");
        }
        let removal = naming(AFTER_REMOVAL, &units);
        for script in [&naming(BEFORE_REMOVAL, &units), &removal] {
            assert!(units.iter().all(|unit| script.contains(unit.as_str())), "{script}");
        }
        assert!(!removal.contains("rm -r"), "{removal}");
        for script in [AFTER, BEFORE_REMOVAL, AFTER_REMOVAL].map(|script| naming(script, &units)) {
            let read = Command::new("sh").args(["-n", "-c", &script]).status().unwrap();
            assert!(read.success(), "{script}");
        }
    }

    #[test]
    fn all_that_a_package_holds_is_there_to_be_packed() {
        let temp = tempfile::tempdir().unwrap();
        let program = Path::new("/bin/true");
        lay_out(temp.path(), program).unwrap();
        for file in [
            "usr/bin/tocsin",
            "usr/lib/systemd/system/tocsin-router.service",
            "usr/lib/sysusers.d/tocsin.conf",
            "usr/share/doc/tocsin/INSTALL.md",
            "usr/share/doc/tocsin/RUNBOOK.md",
            "usr/share/tocsin/deploy/nats/common.conf",
        ] {
            assert!(temp.path().join(file).is_file(), "{file}");
        }
    }
}
