//! A waiting request leaves at once; a running one at the end of the iteration under way.

use headway_vtime::{Error, Model, RequestId, Server};

fn server(max_sequences: u32) -> Result<Server, Error> {
    Server::new(Model::new(1.0, 0.0, 0.5, max_sequences, 100)?, 1)
}

#[test]
fn a_waiting_request_leaves_at_once() -> Result<(), Error> {
    let mut server = server(1)?;
    let running = server.submit(0, 10, 3)?;
    let mut finished = Vec::new();
    server.advance_until(0.5, &mut finished)?;
    let waiting = server.submit(-1, 10, 3)?;
    assert_eq!(server.cancel(waiting), Ok(true));
    assert_eq!(server.in_flight(), 1);
    assert_eq!(server.advance(&mut finished), Some(4.0));
    assert_eq!(finished, [running]);
    assert_eq!(server.advance(&mut finished), None);
    Ok(())
}

#[test]
fn a_running_request_leaves_at_the_end_of_the_iteration() -> Result<(), Error> {
    let mut server = server(2)?;
    let kept = server.submit(0, 10, 4)?;
    let dropped = server.submit(0, 10, 9)?;
    let follower = server.submit(0, 10, 1)?;
    let mut finished = Vec::new();
    server.advance_until(1.5, &mut finished)?;
    assert_eq!(server.cancel(dropped), Ok(true));
    assert_eq!(server.in_flight(), 2, "it is in flight no longer");
    // Prefill to 1, both decode to 3, then the follower has the place beside the kept one.
    assert_eq!(server.advance(&mut finished), Some(4.5));
    assert_eq!(server.advance(&mut finished), Some(6.0));
    assert_eq!(finished, [follower, kept]);
    let replica = server.statistics().replicas[0];
    assert_eq!((replica.prompt_tokens, replica.output_tokens), (30, 4 + 2 + 1));
    assert_eq!((replica.cancelled_prompt_tokens, replica.cancelled_output_tokens), (10, 2));
    Ok(())
}

#[test]
fn on_a_boundary_a_running_request_leaves_at_once() -> Result<(), Error> {
    let mut server = server(1)?;
    let dropped = server.submit(0, 10, 9)?;
    let mut finished = Vec::new();
    server.advance_until(1.0 + 1.5, &mut finished)?;
    let follower = server.submit(0, 10, 1)?;
    server.cancel(dropped)?;
    assert_eq!(server.advance(&mut finished), Some(3.5));
    assert_eq!(finished, [follower]);
    Ok(())
}

#[test]
fn the_last_iteration_of_a_cancelled_request_reports_nothing() -> Result<(), Error> {
    let mut server = server(1)?;
    let dropped = server.submit(0, 10, 1)?;
    let mut finished = Vec::new();
    server.advance_until(0.5, &mut finished)?;
    assert_eq!(server.cancel(dropped), Ok(true));
    assert_eq!(server.advance(&mut finished), None, "nothing is in flight");
    assert_eq!(server.advance_until(9.0, &mut finished), Ok(9.0));
    assert!(finished.is_empty());
    Ok(())
}

#[test]
fn only_a_request_in_flight_can_be_cancelled() -> Result<(), Error> {
    let mut server = server(1)?;
    let request = server.submit(0, 10, 1)?;
    assert_eq!(server.cancel(request), Ok(true));
    assert_eq!(server.cancel(request), Ok(false), "cancelled already");
    let request = server.submit(0, 10, 1)?;
    server.advance(&mut Vec::new());
    assert_eq!(server.cancel(request), Ok(false), "finished already");
    let unknown = RequestId(2);
    assert_eq!(server.cancel(unknown), Err(Error::UnknownRequest { id: unknown, submitted: 2 }));
    Ok(())
}
