//! The operator's guide in the README, run as it stands: every command in its order, each on the machine that
//! its prompt names, and what it shows looked for in what the program says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anjuan_tests::harness::wait::until;
use anjuan_tests::harness::{Anjuan, Folder, Node, PASSPHRASE, program, words};

const README: &str = include_str!("../../../README.md");
const SECTION: &str = "## Run nodes";
/// Stands for what differs each time.
const ELLIPSIS: char = '…';

/// A command of the guide, and what the guide shows of its output.
#[derive(Debug)]
struct Step {
    machine: String,
    command: String,
    shown: Vec<String>,
}

/// The commands of the guide, and the files it shows.
fn guide() -> (Vec<Step>, BTreeMap<String, String>) {
    let section = README.split(SECTION).nth(1).expect("the operator's guide");
    let section = section.split("\n## ").next().expect("the operator's guide");
    let (mut steps, mut files) = (Vec::new(), BTreeMap::new());
    for (at, part) in section.split("```").enumerate() {
        // Text and blocks take turns.
        if at % 2 == 0 {
            continue;
        }
        let (language, block) = part.split_once('\n').expect("a block of lines");
        match language {
            "console" => read_console(block, &mut steps),
            "json" => {
                for role in ["applicant", "respondent"] {
                    files.insert(format!("{role}.json"), block.replace("applicant", role));
                }
            }
            other => panic!("a block of {other:?} that nobody runs"),
        }
    }
    (steps, files)
}

fn read_console(block: &str, steps: &mut Vec<Step>) {
    for line in block.replace("\\\n", " ").lines() {
        match line.split_once("$ ") {
            Some((machine, command)) => steps.push(Step {
                machine: machine.to_owned(),
                command: command.to_owned(),
                shown: Vec::new(),
            }),
            None => steps
                .last_mut()
                .expect("output follows a command")
                .shown
                .push(line.to_owned()),
        }
    }
}

/// What the guide writes for something, and what it is this time.
type Meanings = BTreeMap<String, String>;

/// Finds what is shown in what was said; learns what the words with an ellipsis stand for.
fn compare(shown: &str, said: &str, meanings: &mut Meanings) -> Result<(), String> {
    let missing = |word: &str| format!("no {word:?}, of {shown:?}, in\n{said}");
    for word in shown.split_whitespace() {
        let Some(known) = word.strip_suffix(ELLIPSIS) else {
            if !said.contains(word) {
                return Err(missing(word));
            }
            continue;
        };
        if known.is_empty() {
            continue;
        }
        if let Some(meaning) = meanings.get(known) {
            if !said.contains(meaning) {
                return Err(missing(meaning));
            }
            continue;
        }
        let is_id = |text: &str| text.len() >= 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let mut candidates = said.split_whitespace();
        let found = match is_id(&format!("{known:0<8}")) {
            true => candidates.find(|text| is_id(text)),
            false => candidates.find(|text| text.starts_with(known)),
        };
        let found = found.ok_or_else(|| missing(word))?;
        meanings.insert(known.to_owned(), found.to_owned());
    }
    Ok(())
}

/// The command with what its words stand for.
fn resolved(command: &str, meanings: &Meanings) -> String {
    let words = command.split(' ').map(|word| {
        let bare = word.trim_end_matches(ELLIPSIS);
        meanings.get(bare).map_or(word, String::as_str)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A folder with the program under its own name.
fn bin(folder: &Folder) -> PathBuf {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    std::os::unix::fs::symlink(program(), bin.join("anjuan")).expect("a link to the program");
    bin
}

/// Runs a command line by a shell; what it said.
fn shell(command: &str, bin: &Path, desk: &Path, home: &Path) -> Result<String, String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let ran = Command::new("sh")
        .args(["-c", command])
        .current_dir(desk)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("ANJUAN_HOME", home)
        .env("ANJUAN_PASSPHRASE", PASSPHRASE)
        .env("LANG", "en_US.UTF-8")
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .output()
        .expect("a shell");
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    match ran.status.success() {
        true => Ok(out.into_owned()),
        false => Err(format!("{command}: {}\n{out}{err}", ran.status)),
    }
}

#[test]
fn the_operators_guide_does_what_it_says() {
    let folder = Folder::new("guide");
    let bin = bin(&folder);
    let (steps, files) = guide();
    assert!(steps.len() > 15, "the guide was not found: {steps:?}");
    let mut meanings = Meanings::new();
    let mut homes: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut nodes = Vec::new();
    for step in &steps {
        let desk = folder.join(&step.machine);
        std::fs::create_dir_all(&desk).expect("a folder");
        for (name, content) in &files {
            std::fs::write(desk.join(name), content).expect("a file of the guide");
        }
        if let Some(home) = step.command.strip_prefix("export ANJUAN_HOME=/") {
            // Each machine has a file system of its own.
            homes.insert(step.machine.clone(), desk.join(home));
            continue;
        }
        let home = &homes[&step.machine];
        let command = resolved(&step.command, &meanings);
        if let Some(options) = command.strip_prefix("anjuan serve") {
            let unlock = words(options);
            let unlock: Vec<_> = unlock
                .iter()
                .copied()
                .filter(|word| *word != "--unlock")
                .collect();
            // On a port that is free here, and in the background.
            nodes.push(Node::start(&Anjuan::at(home), &unlock));
            continue;
        }
        // Another machine may not have everything yet; what changes something is run once.
        let reads = ["list", "show", "history", "todo", "verify"];
        let read = words(&command).iter().any(|word| reads.contains(word));
        let mut attempt = || {
            let said = shell(&command, &bin, &desk, home)?;
            let compared = step
                .shown
                .iter()
                .try_for_each(|shown| compare(shown, &said, &mut meanings));
            compared.map_err(|missing| format!("{command}: {missing}"))
        };
        if read {
            until(&format!("{}$ {command}", step.machine), attempt);
        } else if let Err(failed) = attempt() {
            panic!("{failed}");
        }
    }
    for node in nodes {
        node.stop();
    }
}

#[test]
fn what_is_shown_is_looked_for() {
    let mut meanings = Meanings::new();
    let said = "recorded  0123456789ab  [registered]\nticket anjuan1abc";
    compare("recorded  3f2a…  [registered]", said, &mut meanings).expect("as shown");
    compare("anjuan1…", said, &mut meanings).expect("as shown");
    assert_eq!(
        resolved("anjuan case show 3f2a anjuan1…", &meanings),
        "anjuan case show 0123456789ab anjuan1abc"
    );
    for wrong in ["closed", "recorded 3f2a… [accepted]", "beef… cafe… nothing…"] {
        compare(wrong, said, &mut meanings.clone()).expect_err(wrong);
    }
    compare("3f2a…", "fedcba9876543210", &mut meanings).expect_err("another one");
}
