//! Each fuzz target without a fuzzer: on its seeds, and on inputs drawn at random. And what broke
//! one is noticed, left behind, and can be replayed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use headway_proof::fuzz::campaign::{Campaign, Done};
use headway_proof::fuzz::{TARGETS, Target};

const INPUTS: u64 = 5000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn no_input_breaks_a_target() {
    let inputs = number("HEADWAY_SEEDS").unwrap_or(INPUTS);
    for target in TARGETS {
        let (name, mut drawn) = (target.name, 0);
        let broken = file(&format!("{name}.input"));
        let done = Campaign::new(target, 0).run(&broken, || {
            drawn += 1;
            drawn <= inputs
        });
        let replay = format!("cargo run -p headway-proof -- fuzz {name} {}", broken.display());
        assert!(!done.broke, "input {} breaks {name}; replay with: {replay}", done.executions - 1);
    }
}

#[test]
fn every_target_has_seeds() {
    for target in TARGETS {
        let seeds = target.seeds.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        assert!(seeds.count() >= 10, "{}", target.name);
    }
}

#[test]
fn what_breaks_a_target_is_left_in_a_file() {
    fn run(data: &[u8]) {
        assert!(!data.contains(&77), "planted");
    }
    let broken = file("planted.input");
    let target = Target { name: "planted", run, seeds: "# none of these breaks it\n00\n0102\n" };
    let campaign = Campaign::new(target, 0);
    let done = campaign.run(&broken, || true);
    assert!(done.broke);
    let input = fs::read(&broken).unwrap();
    assert!(input.contains(&77));
    assert_eq!(input, campaign.input(done.executions - 1));
    // By numbers alone, so again the same.
    assert_eq!(Campaign::new(target, 0).run(&broken, || true), done);
}

#[test]
fn with_no_time_only_the_seeds_are_run() {
    let target = Target { name: "any", run: |_| (), seeds: "00\n0102\n" };
    let done = Campaign::new(target, 0).run(&file("any.input"), || false);
    assert_eq!(done, Done { executions: 2, broke: false });
}

#[test]
fn the_command_line_runs_a_target_and_replays_a_file() {
    let fuzz = |arguments: &[&str]| {
        let command =
            Command::new(env!("CARGO_BIN_EXE_headway-proof")).arg("fuzz").args(arguments).output();
        let done = command.unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    };
    let (code, said) = fuzz(&["virtual_server", "--seconds", "0"]);
    assert_eq!(code, Some(0));
    assert!(said.starts_with("{\"executions\": "), "{said}");
    let input = file("replayed.input");
    fs::write(&input, [1, 2, 3]).unwrap();
    let (code, said) = fuzz(&["event_door", input.to_str().unwrap()]);
    assert_eq!(code, Some(0));
    assert!(said.ends_with("does not break event_door\n"), "{said}");
    assert_eq!(fuzz(&["no_such_target"]).0, Some(2));
}
