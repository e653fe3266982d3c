//! `headway-proof random` counts the same on any number of threads, and names each seed that
//! differs with the command that runs it alone.

use std::fs;
use std::process::{Command, Output};

use headway_proof::kind::Kind;
use headway_proof::report;
use headway_proof::sweep::{Outcome, outcome, sweep};

fn headway_proof(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_headway-proof")).args(arguments).output().unwrap()
}

/// Without the lines that tell a measured time.
fn untimed(text: &str) -> String {
    let timed = ["per minute", "\"seconds\"", "per_minute"];
    text.lines().filter(|line| !timed.iter().any(|word| line.contains(word))).collect()
}

#[test]
fn the_counts_are_the_same_on_any_number_of_threads() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let [one, three] = ["1", "3"].map(|threads| {
        let file = format!("{folder}/random-{threads}.json");
        let arguments = ["random", "--runs", "150", "--threads", threads, "--json", &file];
        let done = headway_proof(&arguments);
        assert_eq!(done.status.code(), Some(0));
        let table = String::from_utf8(done.stdout).unwrap();
        assert!(table.lines().all(|line| line.len() <= 100), "{table}");
        assert!(table.contains("seeds 0 to 149"), "{table}");
        (untimed(&table), untimed(&fs::read_to_string(file).unwrap()))
    });
    assert_eq!(one, three);
}

#[test]
fn a_seed_alone_is_what_it_was_among_others() {
    let many = sweep(&(0..200), 2, outcome, |_| ());
    let mut sum = sweep(&(0..0), 1, outcome, |_| ()).all();
    for seed in 0..200 {
        sum.merge(&sweep(&(seed..seed + 1), 1, outcome, |_| ()).all());
    }
    assert_eq!(many.all(), sum);
    let alone = headway_proof(&["random", "--seed", "17"]);
    assert_eq!(alone.status.code(), Some(0));
    let said = String::from_utf8(alone.stdout).unwrap();
    let expected = format!("{} agent-steps", outcome(17).course.agent_steps);
    assert!(said.starts_with("seed 17: ") && said.contains(&expected), "{said}");
    assert!(said.ends_with("ends as in lock-step\n"), "{said}");
}

#[test]
fn what_differs_is_named_with_the_command_that_repeats_it() {
    let broken = |seed| {
        let difference = (seed % 30 == 7).then(|| "it is another".to_owned());
        Outcome { difference, ..outcome(seed) }
    };
    let counts = sweep(&(0..400), 3, broken, |_| ());
    let seeds: Vec<_> = counts.failures.iter().map(|(seed, _)| *seed).collect();
    assert_eq!(seeds, (7..400).step_by(30).collect::<Vec<_>>());
    assert_eq!(counts.of(|kind| *kind == Kind::of(37)).differences, 1);
    let complaint = report::complaint(&counts).unwrap();
    let first = "seed 7: it is another\n  replay with: headway-proof random --seed 7\n";
    assert!(complaint.starts_with(first) && complaint.ends_with("and 4 more\n"), "{complaint}");
}

#[test]
fn runs_that_show_nothing_are_no_success() {
    let mut counts = sweep(&(0..130), 1, outcome, |_| ());
    assert_eq!(report::complaint(&counts), None);
    counts.kinds.iter_mut().for_each(|(_, tally)| tally.overtaken = 0);
    assert!(report::complaint(&counts).unwrap().starts_with("Too few"));
}

#[test]
fn a_wrong_argument_is_answered_with_the_usage() {
    for arguments in [&["random", "--runs", "0"][..], &["random", "--sed", "1"], &["rnd"], &[]] {
        let done = headway_proof(arguments);
        assert_eq!(done.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(done.stderr).unwrap().contains("Usage"), "{arguments:?}");
    }
}
