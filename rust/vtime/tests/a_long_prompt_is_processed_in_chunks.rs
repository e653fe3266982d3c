//! An iteration processes no more tokens than its budget: decoding sequences first, then the
//! prompt under way, then new ones; what does not fit waits for the next iteration.

use headway_vtime::{Error, Model, RequestId, Server};

/// A millisecond per prompt token, 10 ms per decoding sequence, 5 ms at least; 100 tokens.
fn server() -> Result<Server, Error> {
    Server::new(Model::new(0.005, 0.001, 0.010, 8, 100)?, 1)
}

fn all_times(server: &mut Server) -> Vec<(f64, Vec<RequestId>)> {
    let mut times = Vec::new();
    let mut finished = Vec::new();
    while let Some(time) = server.advance(&mut finished) {
        times.push((time, core::mem::take(&mut finished)));
    }
    times
}

#[test]
fn a_prompt_of_two_and_a_half_budgets_takes_three_iterations() -> Result<(), Error> {
    let mut server = server()?;
    let request = server.submit(0, 250, 1)?;
    assert_eq!(all_times(&mut server), [(0.250, vec![request])]);
    let replica = server.statistics().replicas[0];
    assert_eq!((replica.iterations, replica.prompt_tokens, replica.output_tokens), (3, 250, 1));
    Ok(())
}

#[test]
fn a_short_chunk_takes_the_least_time() -> Result<(), Error> {
    let mut server = server()?;
    let request = server.submit(0, 102, 1)?;
    assert_eq!(all_times(&mut server), [(0.105, vec![request])]);
    Ok(())
}

#[test]
fn decoding_sequences_take_from_the_budget_first() -> Result<(), Error> {
    let mut server = server()?;
    let talker = server.submit(0, 10, 4)?;
    server.advance_until(0.010, &mut Vec::new())?;
    let reader = server.submit(0, 150, 1)?;
    // 99 prompt tokens beside the talker's one token, then 51 beside it.
    let expected = [(0.010 + 0.109 + 0.061, vec![reader]), (0.180 + 0.015, vec![talker])];
    assert_eq!(all_times(&mut server), expected);
    Ok(())
}

#[test]
fn prompts_that_fit_together_share_an_iteration() -> Result<(), Error> {
    let mut server = server()?;
    let first = server.submit(0, 60, 1)?;
    let second = server.submit(0, 60, 1)?;
    let third = server.submit(0, 60, 1)?;
    // 60 + 40 tokens, then 20 + 60.
    assert_eq!(all_times(&mut server), [(0.100, vec![first]), (0.180, vec![second, third])]);
    Ok(())
}

#[test]
fn a_chunk_that_ends_the_budget_admits_nobody() -> Result<(), Error> {
    let mut server = server()?;
    server.submit(0, 100, 1)?;
    server.submit(0, 1, 1)?;
    server.advance_until(0.001, &mut Vec::new())?;
    let load = server.loads().next().expect("one replica");
    assert_eq!((load.running, load.waiting), (1, 1));
    Ok(())
}
