//! `headway-proof`: runs the machines that try to break the promise, and prints what came of it.

use std::fs;
use std::io::{IsTerminal, Write, stderr};
use std::num::NonZero;
use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;
#[allow(clippy::disallowed_types, reason = "the rate is measured; nothing else depends on it")]
use std::time::Instant;

use headway_proof::fuzz::campaign::Campaign;
use headway_proof::fuzz::{TARGETS, Target};
use headway_proof::orders::{self, Size};
use headway_proof::report;
use headway_proof::setting::Setting;
use headway_proof::sweep::{outcome, sweep};
use lexopt::prelude::*;

const USAGE: &str = "\
Usage: headway-proof random [--runs N] [--first-seed S] [--threads N] [--json FILE]
       headway-proof random --seed S
       headway-proof orders [--small | --full] [--json FILE]
       headway-proof fuzz TARGET [--seconds N] [--first N] [--broken FILE]
       headway-proof fuzz TARGET FILE

`random` runs random worlds out of order and in lock-step and counts those that differ. One seed
decides all of a world. `orders` runs small worlds in every order there is. `fuzz` runs a target on
its seeds and on inputs drawn at random, or on the one in a file. The exit code is 1 if any differs
or breaks.

  --runs N        worlds, in total over all kinds (default 10000)
  --first-seed S  the seed of the first; the others follow (default 0)
  --seed S        this one alone, in more words
  --threads N     how many share the work (default: one for each core); changes no count
  --small, --full which small worlds: those of the tests, or all (default --small)
  --json FILE     also write the counts there
  --seconds N     how long inputs are drawn (default 60)
  --first N       the number of the first input that is drawn; the others follow (default 0)
  --broken FILE   where to leave an input that breaks the target (default broken.input)";

fn main() -> ExitCode {
    let mut arguments = lexopt::Parser::from_env();
    match command(&mut arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("headway-proof: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn command(arguments: &mut lexopt::Parser) -> Result<ExitCode, lexopt::Error> {
    match arguments.next()? {
        Some(Value(name)) if name == "random" => random(arguments),
        Some(Value(name)) if name == "orders" => orders(arguments),
        Some(Value(name)) if name == "fuzz" => fuzz(arguments),
        Some(Long("help") | Short('h')) => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        Some(other) => Err(other.unexpected()),
        None => Err("name a command".into()),
    }
}

fn random(arguments: &mut lexopt::Parser) -> Result<ExitCode, lexopt::Error> {
    let (mut runs, mut first_seed, mut file) = (10_000_u64, 0_u64, None);
    let mut threads = available_parallelism().map_or(1, NonZero::get);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("runs") => runs = arguments.value()?.parse()?,
            Long("first-seed") => first_seed = arguments.value()?.parse()?,
            Long("seed") => return Ok(one(arguments.value()?.parse()?)),
            Long("threads") => threads = arguments.value()?.parse::<NonZero<usize>>()?.get(),
            Long("json") => file = Some(arguments.value()?),
            other => return Err(other.unexpected()),
        }
    }
    let end = first_seed.checked_add(runs).filter(|_| runs > 0);
    let seeds = first_seed..end.ok_or("no such seeds: give at least one run, and no overflow")?;
    #[allow(clippy::disallowed_types, reason = "the rate is measured; nothing else depends on it")]
    let start = Instant::now();
    // A run that breaks down is counted and named; alone, its seed also says where.
    panic::set_hook(Box::new(|_| ()));
    let counts =
        sweep(&seeds, threads, outcome, |done| write_over(&format!("{done} of {runs} runs")));
    drop(panic::take_hook());
    write_over("");
    let seconds = start.elapsed().as_secs_f64();
    print!("{}", report::table(&seeds, &counts));
    let rate = runs as f64 * 60.0 / seconds;
    println!("{rate:.0} runs per minute: {seconds:.1} s on {threads} threads.");
    if let Some(file) = file {
        fs::write(&file, report::json(&seeds, &counts, seconds))
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    }
    let complaint = report::complaint(&counts);
    print!("{}", complaint.as_deref().unwrap_or_default());
    Ok(if complaint.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn orders(arguments: &mut lexopt::Parser) -> Result<ExitCode, lexopt::Error> {
    let (mut size, mut file) = (Size::Small, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("small") => size = Size::Small,
            Long("full") => size = Size::Full,
            Long("json") => file = Some(PathBuf::from(arguments.value()?)),
            other => return Err(other.unexpected()),
        }
    }
    let good = orders::report(size, file.as_deref()).map_err(|error| error.to_string())?;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn fuzz(arguments: &mut lexopt::Parser) -> Result<ExitCode, lexopt::Error> {
    let (mut seconds, mut first, mut broken) = (60_u64, 0, PathBuf::from("broken.input"));
    let (mut target, mut file): (Option<Target>, Option<PathBuf>) = (None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seconds") => seconds = arguments.value()?.parse()?,
            Long("first") => first = arguments.value()?.parse()?,
            Long("broken") => broken = PathBuf::from(arguments.value()?),
            Value(name) if target.is_none() => {
                let known = TARGETS.into_iter().find(|known| name == known.name);
                let names = TARGETS.map(|known| known.name).join(", ");
                target =
                    Some(known.ok_or(format!("no target {}; there are {names}", name.display()))?);
            }
            Value(path) if file.is_none() => file = Some(PathBuf::from(path)),
            other => return Err(other.unexpected()),
        }
    }
    let target = target.ok_or("name a target")?;
    if let Some(file) = file {
        let input =
            fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        (target.run)(&input);
        println!("{} does not break {}", file.display(), target.name);
        return Ok(ExitCode::SUCCESS);
    }
    let campaign = Campaign::new(target, first);
    #[allow(clippy::disallowed_types, reason = "how long it goes on is what was asked for")]
    let start = Instant::now();
    let done = campaign.run(&broken, || start.elapsed().as_secs() < seconds);
    println!("{{\"executions\": {}}}", done.executions);
    Ok(if done.broke { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs one seed alone, and says what came of it.
fn one(seed: u64) -> ExitCode {
    let outcome = outcome(seed);
    print!("{}", report::one(&Setting::new(seed), &outcome));
    if outcome.difference.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes over the line that was written before, where somebody looks on.
fn write_over(text: &str) {
    let mut out = stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r{text:<40}\r");
    }
}
