//! Who arrives while an iteration is under way joins at its end; who arrives exactly then, joins
//! then; who arrives at an idle replica starts at once.

use headway_vtime::{Error, Model, Server};

/// Two seconds an iteration, with one sequence that finishes at 20.
fn under_way() -> Result<Server, Error> {
    let mut server = Server::new(Model::new(2.0, 0.0, 0.0, 8, 100)?, 1)?;
    server.submit(0, 10, 10)?;
    Ok(server)
}

fn finish_of_an_arrival_at(time: f64) -> Result<Option<f64>, Error> {
    let mut server = under_way()?;
    let mut finished = Vec::new();
    while server.advance_until(time, &mut finished)? < time {}
    server.submit(0, 10, 1)?;
    Ok(server.advance(&mut finished))
}

#[test]
fn an_arrival_on_a_boundary_joins_at_once() -> Result<(), Error> {
    assert_eq!(finish_of_an_arrival_at(6.0)?, Some(8.0));
    assert_eq!(finish_of_an_arrival_at(0.0)?, Some(2.0));
    Ok(())
}

#[test]
fn an_arrival_between_boundaries_joins_at_the_next_one() -> Result<(), Error> {
    assert_eq!(finish_of_an_arrival_at(6.000_000_001)?, Some(10.0));
    assert_eq!(finish_of_an_arrival_at(7.0)?, Some(10.0));
    assert_eq!(finish_of_an_arrival_at(7.999_999_999)?, Some(10.0));
    Ok(())
}

#[test]
fn an_arrival_at_an_idle_replica_starts_at_once() -> Result<(), Error> {
    assert_eq!(finish_of_an_arrival_at(20.0)?, Some(22.0));
    assert_eq!(finish_of_an_arrival_at(21.5)?, Some(23.5));
    Ok(())
}

#[test]
fn a_reaction_to_a_completion_joins_the_iteration_that_follows() -> Result<(), Error> {
    let mut server = under_way()?;
    let quick = server.submit(0, 10, 2)?;
    let mut finished = Vec::new();
    assert_eq!(server.advance(&mut finished), Some(4.0));
    assert_eq!(finished, [quick]);
    let reaction = server.submit(0, 10, 1)?;
    assert_eq!(server.advance(&mut finished), Some(6.0));
    assert_eq!(finished, [quick, reaction]);
    Ok(())
}
