//! `headway-bench`: how long the core takes to decide, on drawn crowds of any size.

mod crowd;
mod others;
mod run;

use std::process::ExitCode;

use headway_core::Rule;
use lexopt::prelude::*;

use crate::crowd::Workload;
use crate::run::{Finder, Setting, measure};

const USAGE: &str = "\
Usage: headway-bench [--workload NAME] [--rule NAME] [--index NAME] [--agents N] [--batch N]
                     [--warm-up STEPS] [--steps STEPS] [--rounds N] [--seed S]

Runs a drawn crowd out of order, in modelled time, and prints what the scheduler took of real time
as one line of JSON for each round.

  --workload NAME  random, clustered, frontier, straggler (default random)
  --rule NAME      conservative or compatibility (default conservative)
  --index NAME     what finds agents: own, rstar or kiddo (default own)
  --agents N       how many there are (default 1000)
  --batch N        agent-steps reported to the scheduler together (default 1)
  --warm-up STEPS  steps of every agent before the measurement, in the mean (default 5)
  --steps STEPS    steps of every agent that are measured, in the mean (default 20)
  --rounds N       how often, with seeds S, S + 1, ... (default 1)
  --seed S         draws everything (default 0)";

fn main() -> ExitCode {
    match bench() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headway-bench: {error}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn bench() -> Result<(), lexopt::Error> {
    let mut setting = Setting {
        workload: Workload::Random,
        rule: Rule::Conservative,
        index: Finder::Own,
        agents: 1000,
        batch: 1,
        warm_up: 5,
        measured: 20,
        seed: 0,
    };
    let mut rounds = 1;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("workload") => {
                let name = arguments.value()?.string()?;
                let found = Workload::ALL.into_iter().find(|workload| workload.name() == name);
                setting.workload = found.ok_or_else(|| format!("no workload '{name}'"))?;
            }
            Long("rule") => {
                setting.rule = match arguments.value()?.string()?.as_str() {
                    "conservative" => Rule::Conservative,
                    "compatibility" => Rule::Compatibility,
                    name => return Err(format!("no rule '{name}'").into()),
                }
            }
            Long("index") => {
                let name = arguments.value()?.string()?;
                let found = Finder::ALL.into_iter().find(|index| index.name() == name);
                setting.index = found.ok_or_else(|| format!("no index '{name}'"))?;
            }
            Long("agents") => setting.agents = at_least_one(arguments.value()?.parse()?)?,
            Long("batch") => setting.batch = at_least_one(arguments.value()?.parse()?)? as usize,
            Long("warm-up") => setting.warm_up = arguments.value()?.parse()?,
            Long("steps") => setting.measured = at_least_one(arguments.value()?.parse()?)?.into(),
            Long("rounds") => rounds = at_least_one(arguments.value()?.parse()?)?,
            Long("seed") => setting.seed = arguments.value()?.parse()?,
            Long("help") | Short('h') => {
                println!("{USAGE}");
                return Ok(());
            }
            other => return Err(other.unexpected()),
        }
    }
    let agents = u64::from(setting.agents);
    (setting.warm_up, setting.measured) = (setting.warm_up * agents, setting.measured * agents);
    for _ in 0..rounds {
        let row = measure(&setting);
        println!("{}", serde_json::to_string(&row).expect("numbers and names"));
        setting.seed += 1;
    }
    Ok(())
}

fn at_least_one(number: u32) -> Result<u32, lexopt::Error> {
    if number == 0 { Err("at least 1 is needed".into()) } else { Ok(number) }
}
