//! The README's commands, in its order, in an empty folder; and its figures.

use std::{env, fs, path::Path, process::Command};

use crate::support::Workplace;

fn checkout() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn readme() -> String {
    fs::read_to_string(checkout().join("README.md")).unwrap()
}

/// The text between a heading and the next.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

#[test]
fn the_first_proof_of_the_readme_works_as_printed() {
    let readme = readme();
    let commands = section(&readme, "First proof").lines().filter_map(|l| l.strip_prefix("$ "));
    let commands: Vec<_> = commands.collect();
    assert_eq!(commands.len(), 5);
    let workplace = Workplace::new();
    let built = Path::new(env!("CARGO_BIN_EXE_zkinfer")).parent().unwrap();
    let others = env::var("PATH").unwrap();
    for command in commands {
        let output = Command::new("sh")
            .args(["-c", command])
            .current_dir(workplace.path("."))
            .env("PATH", format!("{}:{others}", built.display()))
            .env("ZKINFER", checkout().canonicalize().unwrap())
            .env("ZKINFER_CACHE_DIR", workplace.path("cache"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{text}\n{errors}");
        assert!(!text.contains("INSECURE"), "{command}\n{text}");
    }
}

/// Every command that the README shows has options that exist.
#[test]
fn every_command_of_the_readme_is_understood() {
    let text = readme();
    let commands = text.lines().filter_map(|line| line.strip_prefix("$ zkinfer "));
    let mut count = 0;
    for command in commands {
        let verb = command.split(' ').next().unwrap();
        let help = Workplace::new().run(&[verb, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        for option in command.split(' ').filter(|word| word.starts_with('-')) {
            assert!(help.stdout.contains(option), "{option} of {command}");
        }
        count += 1;
    }
    assert!(count > 8);
}

/// The seconds of the README's chart are those of docs/performance.md, and its words say them too.
#[test]
fn the_chart_of_the_readme_is_what_was_measured() {
    let read = |name: &str| fs::read_to_string(checkout().join(name)).unwrap();
    let (measured, drawn) = (read("docs/performance.md"), read("docs/prove-seconds.csv"));
    let readme = readme().replace('\n', " ");
    assert!(readme.contains("](docs/prove-seconds.svg)"));
    let bars: Vec<(&str, &str)> = drawn.lines().map(|line| line.split_once(',').unwrap()).collect();
    assert_eq!(bars.len(), 3);
    for (prover, seconds) in bars {
        let mut rows = measured.lines().filter(|row| row.starts_with('|'));
        let cells = |row: &str| row.split('|').map(|c| c.trim().to_owned()).collect::<Vec<_>>();
        assert!(
            rows.any(|row| cells(row).get(2..4) == Some(&[prover.into(), seconds.into()])),
            "{prover} {seconds} is not in docs/performance.md"
        );
        assert!(readme.contains(&format!("{prover} {seconds}")), "{prover} {seconds}");
    }
}

#[test]
fn completions_and_manuals_come_from_the_arguments() {
    let workplace = Workplace::new();
    for shell in ["bash", "zsh", "fish"] {
        let run = workplace.run(&["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("inputs") && run.stdout.contains("quote"), "{shell}");
    }
    assert_eq!(workplace.run(&["completions", "cmd.com"]).code, 2);
    let pages = workplace.json(0, &["man", "pages"])["pages"].as_array().unwrap().len();
    assert!(pages > 10);
    let page = workplace.read("pages/zkinfer-prove.1");
    assert!(page.contains(".TH") && page.contains("inputs"), "{page}");
    assert!(workplace.path("pages/zkinfer-srs-import.1").exists());
}
