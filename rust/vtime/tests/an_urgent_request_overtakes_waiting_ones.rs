//! Waiting requests are admitted by priority, then by arrival; running ones are left alone.

use headway_vtime::{Error, Model, Server};

/// One sequence at a time, one second an iteration.
fn one_at_a_time() -> Result<Server, Error> {
    Server::new(Model::new(1.0, 0.0, 0.0, 1, 100)?, 1)
}

#[test]
fn an_urgent_request_overtakes_waiting_ones() -> Result<(), Error> {
    let mut server = one_at_a_time()?;
    let running = server.submit(5, 10, 3)?;
    let mut order = Vec::new();
    server.advance_until(0.5, &mut order)?;
    let late = server.submit(7, 10, 1)?;
    let first = server.submit(5, 10, 1)?;
    let second = server.submit(5, 10, 1)?;
    let urgent = server.submit(-1, 10, 1)?;
    let mut times = Vec::new();
    while let Some(time) = server.advance(&mut order) {
        times.push(time);
    }
    assert_eq!(order, [running, urgent, first, second, late]);
    assert_eq!(times, [3.0, 4.0, 5.0, 6.0, 7.0], "the running one kept its three seconds");
    Ok(())
}
