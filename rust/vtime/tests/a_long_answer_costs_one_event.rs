//! Iterations over the same sequences are skipped together: four thousand million of them would
//! otherwise keep this test busy for a minute.

use headway_vtime::{Error, Model, Server};

#[test]
fn a_long_answer_costs_one_event() -> Result<(), Error> {
    let model = Model::new(0.001, 0.0, 0.000_5, 2, 100)?;
    let mut server = Server::new(model, 1)?;
    let long = server.submit(0, 1, u32::MAX)?;
    let mut finished = Vec::new();
    // It is interrupted twice, and counted in the middle.
    server.advance_until(1000.0, &mut finished)?;
    let short = server.submit(0, 1, 1000)?;
    server.advance(&mut finished);
    server.advance_until(2000.0, &mut finished)?;
    let iterations = server.statistics().replicas[0].iterations;
    assert!(iterations > 1_300_000, "{iterations}");
    let time = server.advance(&mut finished).expect("one is in flight");
    assert_eq!(finished, [short, long]);
    // 2^32 - 1 iterations; 999 of them with two sequences, one with a prompt.
    assert_eq!(server.statistics().replicas[0].iterations, u64::from(u32::MAX));
    let expected = 0.001 * f64::from(u32::MAX) + 0.000_5 * (f64::from(u32::MAX - 1) + 999.0);
    assert!((time - expected).abs() < 1e-6, "{time} {expected}");
    Ok(())
}

#[test]
fn the_clock_stands_still_at_the_end_of_time() -> Result<(), Error> {
    let mut server = Server::new(Model::new(1000.0, 0.0, 1000.0, 1, 1)?, 1)?;
    let endless = server.submit(0, 1, u32::MAX)?;
    let mut finished = Vec::new();
    let end_of_time = u64::MAX as f64 / 1e9;
    assert_eq!(server.advance(&mut finished), Some(end_of_time));
    assert_eq!(finished, [endless], "cut short, 272 millennia early");
    server.submit(0, 1, 1)?;
    assert_eq!(server.advance(&mut finished), None);
    assert_eq!(server.advance_until(end_of_time, &mut finished), Ok(end_of_time));
    server.validate();
    Ok(())
}

#[test]
fn so_does_a_long_prompt() -> Result<(), Error> {
    // A token at a time; a second prompt waits, is admitted, and waits again for the budget.
    let mut server = Server::new(Model::new(0.001, 0.0, 0.0, 2, 2)?, 1)?;
    let mut finished = Vec::new();
    let short = server.submit(0, 1, 3)?;
    let long = server.submit(0, u32::MAX, 1)?;
    server.advance_until(1000.0, &mut finished)?;
    assert_eq!(finished, [short]);
    server.advance_until(1000.0, &mut finished)?;
    let other = server.submit(0, u32::MAX, 1)?;
    server.advance(&mut finished);
    // One token in each of the first three iterations, then two.
    let alone = u64::from(u32::MAX - 3).div_ceil(2) + 3;
    assert_eq!((finished[1], server.statistics().replicas[0].iterations), (long, alone));
    assert_eq!(server.cancel(other), Ok(true));
    server.validate();
    Ok(())
}
