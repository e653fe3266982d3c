"""What `Scheduler` does, one sentence at a time: waiting, clusters, joining, stories, threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from headway import Scheduler, errors
from small_schedulers import refusal, scheduler, step

# Waiting and going


def test_all_agents_are_ready_at_the_start():
    assert scheduler((0, 0), (1, 0), (50, 50)).ready().tolist() == [0, 1, 2]


def test_an_agent_far_away_does_not_wait():
    s = scheduler((0, 0), (50, 0))
    step(s, 0, times=40)
    assert s.clocks.tolist() == [40, 0]
    assert s.status(0) == "ready"


def test_an_agent_near_somebody_behind_waits_until_that_one_has_caught_up():
    s = scheduler((0, 0), (5, 0))
    step(s, 0)
    assert (s.status(0), s.blockers(0).tolist()) == ("blocked", [1])
    s.start([1])
    assert s.finish([1], [(5, 0)]).tolist() == [0, 1]


def test_an_agent_just_beyond_the_bound_goes_on():
    s = scheduler((0, 0), (6, 0))
    step(s, 0)
    assert s.status(0) == "ready"
    step(s, 0)
    assert s.status(0) == "blocked"


def test_sight_below_speed_counts_as_speed_because_of_messages():
    s = scheduler((0, 0), (4, 0), sight=0, speed=2)
    step(s, 0)
    assert s.status(0) == "blocked"


def test_agents_ahead_never_block():
    s = scheduler((0, 0), (1, 0))
    s.start([0])
    assert s.status(1) == "ready"
    s.finish([0], [(0, 0)])
    assert s.blockers(1).tolist() == []


def test_agents_of_other_worlds_do_not_meet():
    s = scheduler((0, 0), (0, 0), (0, 0), worlds=[0, 1, 0])
    step(s, 0)
    assert s.blockers(0).tolist() == [2]
    step(s, 1, times=5)
    assert s.status(1) == "ready"


def test_across_a_joined_border_agents_are_neighbours():
    s = scheduler((0, 0), (19, 19), wrap=(20, 20))
    step(s, 0)
    assert s.blockers(0).tolist() == [1]
    assert scheduler((0, 0), (19, 19)).blockers(0).tolist() == []


def test_a_move_across_a_joined_border_is_short():
    s = scheduler((0, 0), wrap=(20, 20))
    s.start([0])
    s.finish([0], [(19, 19)])
    assert s.positions.tolist() == [[19, 19]]


def test_the_metric_decides_who_is_near():
    near = {}
    for metric in ("chebyshev", "manhattan", "euclidean"):
        s = scheduler((0, 0), (4, 4), metric=metric)
        step(s, 0)
        near[metric] = s.status(0) == "blocked"
    assert near == {"chebyshev": True, "manhattan": False, "euclidean": False}


def test_each_agent_has_its_own_footprint():
    s = scheduler((0, 0), (6, 0), (0, 30), sight=[6, 1, 1], speed=[0, 0, 3], reach=[0, 0, 20])
    step(s, 0)
    assert s.blockers(0).tolist() == [1]
    step(s, 1)
    assert s.blockers(0).tolist() == []
    s = scheduler((0, 0), (26, 0), sight=6, speed=0, reach=[0, 20])
    step(s, 0)
    assert s.blockers(0).tolist() == [1]


def test_coordinates_at_the_limits_of_the_world_work():
    far = 2**30
    s = scheduler((far, far), (-far, -far), (far, far - 5))
    step(s, 0, by=(-1, -1))
    assert s.blockers(0).tolist() == [2]
    s = scheduler((1e8, 1e8), (-1e8, 1e8), (1e8, 1e8 - 4.5))
    step(s, 0)
    assert s.blockers(0).tolist() == [2]
    s.validate()


def test_on_a_plane_whole_numbers_are_taken_too():
    s = scheduler((0.5, 0.5))
    s.start([0])
    s.finish([0], [(1, 1)])
    assert s.positions.tolist() == [[1.0, 1.0]]


def test_ready_agents_stand_by_clock_then_by_how_many_they_hold_up_then_by_id():
    # 3 holds 4 up; 0 and 2 are alone; 1 is ahead of everybody.
    s = scheduler((0, 0), (100, 0), (200, 0), (300, 0), (302, 0))
    step(s, 4)
    step(s, 1)
    assert s.held_up(3) == 1
    assert s.ready().tolist() == [3, 0, 2, 1]


def test_those_who_wait_for_a_waiting_one_are_held_up_through_it():
    s = scheduler((0, 0), (5, 0), (11, 0))
    step(s, 0, 1)
    step(s, 0)
    assert [s.status(a) for a in range(3)] == ["blocked", "ready", "ready"]
    step(s, 1)
    assert [s.status(a) for a in range(3)] == ["ready", "blocked", "ready"]
    assert [s.held_up(a) for a in range(3)] == [0, 0, 1]


def test_an_agent_once_ready_stays_ready_whatever_the_others_do():
    s = scheduler((0, 0), (8, 0), (8, 8))
    step(s, 0)
    assert s.status(0) == "ready"
    for _ in range(3):
        step(s, 1, 2, by=(-1, 0))
        assert s.status(0) == "ready"


def test_the_frontier_is_the_smallest_clock_present():
    s = scheduler((0, 0), (50, 0), (99, 0))
    step(s, 0, 1)
    assert s.frontier == 0
    s.remove([2])
    assert s.frontier == 1
    s.remove([0, 1])
    assert s.frontier == 1


def test_the_loop_of_the_docstring_runs_everybody_through_all_steps():
    s = scheduler(*[(3 * i, 0) for i in range(8)])
    random = np.random.default_rng(1)
    executed = np.zeros(8, int)

    def run_one_step(ids):
        executed[ids] += 1
        return s.positions[ids] + random.integers(-1, 2, (len(ids), 2))

    ready = s.ready()
    while len(ready) and s.frontier < 20:
        s.start(ready)
        new_positions = run_one_step(ready)
        ready = s.finish(ready, new_positions)
    assert s.frontier == 20
    assert executed.tolist() == s.clocks.tolist()


# Clusters (compatibility rule)


def test_neighbours_at_one_step_are_a_cluster_and_start_and_finish_together():
    s = scheduler((0, 0), (5, 0), (10, 0), (30, 0), rule="compatibility")
    assert s.clusters([0, 1, 2, 3]).tolist() == [0, 0, 0, 3]
    error = refusal(errors.PartialClusterError, s, s.start, [0, 2, 3])
    assert (error.agent, error.given, error.size) == (0, 2, 3)
    assert str(error) == (
        "agent 0 belongs to a cluster of 3 agents, of which the batch holds 2; "
        "a cluster starts and finishes its step in one batch"
    )
    s.start([2, 0, 1])
    error = refusal(errors.PartialClusterError, s, s.finish, [1], [(5, 0)])
    assert (error.agent, error.given, error.size) == (1, 1, 3)


def test_a_blocked_member_holds_its_cluster():
    s = scheduler((0, 0), (5, 0), (11, 0), rule="compatibility")
    step(s, 0, 1)
    assert [s.status(a) for a in range(3)] == ["held", "blocked", "ready"]
    error = refusal(errors.BlockedError, s, s.start, [0])
    assert (error.agent, error.clock, error.witness, error.until) == (0, 1, None, None)
    assert str(error).endswith("a member of its cluster is blocked")


def test_members_of_a_cluster_stand_together_and_its_busiest_speaks_for_it():
    # 3 holds 4 up and is in one cluster with 0; 1 and 2 are alone.
    s = scheduler((0, 0), (100, 0), (200, 0), (5, 0), (11, 0), rule="compatibility")
    step(s, 4)
    assert s.held_up(3) == 1
    assert s.ready().tolist() == [0, 3, 1, 2]


def test_an_agent_alone_blocked_or_gone_is_its_own_cluster():
    s = scheduler((0, 0), (5, 0), (50, 0), (54, 0), (90, 0), rule="compatibility")
    step(s, 2, 3)
    step(s, 0, 1)
    s.remove([4])
    assert s.clusters([4, 3, 1]).tolist() == [4, 2, 0]
    assert s.clusters([]).dtype == np.int64
    assert scheduler((0, 0), (0, 0)).clusters([0, 1]).tolist() == [0, 1]


# Joining and leaving


def test_a_newcomer_gets_the_next_id_and_its_first_step():
    s = scheduler((0, 0))
    assert s.add((40, 0)) == (1, 0)
    step(s, 0, 1, times=3)
    assert s.add((80, 0)) == (2, 3)
    assert len(s) == 3
    assert s.ready().tolist() == [0, 1, 2]


def test_a_newcomer_cannot_join_where_somebody_has_passed():
    s = scheduler((0, 0), (99, 0))
    step(s, 0, times=10)
    error = refusal(errors.JoinsTooEarlyError, s, s.add, (3, 0), at=0)
    assert (error.agent, error.step) == (2, 0)
    # Agent 0 was told that it may execute step 10, so it has read what is near then.
    assert error.earliest == 11
    assert str(error) == (
        "agent 2 cannot join at step 0: others may already have read, or been told they may read, "
        "what it could affect; the earliest step it can join there is 11"
    )
    assert s.add((3, 0)) == (2, 11)


def test_one_who_joined_later_and_waits_keeps_nobody_from_joining_before_it():
    s = scheduler((0, 0))
    assert s.add((50, 0), at=100) == (1, 100)
    assert s.status(1) == "blocked"
    assert s.add((52, 0), at=20) == (2, 20)
    s.validate()


def test_one_who_may_start_at_once_counts_as_having_started():
    s = scheduler((0, 0))
    assert s.add((900, 0), at=100) == (1, 100)
    assert s.status(1) == "ready"
    error = refusal(errors.JoinsTooEarlyError, s, s.add, (904, 0), at=100)
    assert error.earliest == 101


def test_a_newcomer_far_from_those_ahead_joins_at_the_frontier():
    s = scheduler((0, 0), (99, 0))
    step(s, 0, times=10)
    assert s.add((60, 0)) == (2, 0)


def test_a_newcomer_may_join_later_than_it_must():
    s = scheduler((0, 0))
    assert s.add((1, 0), at=7) == (1, 7)
    assert s.status(1) == "blocked"
    step(s, 0, times=7)
    assert s.status(1) == "ready"


def test_a_newcomer_has_the_common_footprint_unless_told_otherwise():
    s = scheduler((0, 0))
    s.add((5, 0))
    s.add((0, 8), sight=1, speed=3)
    step(s, 0)
    assert s.blockers(0).tolist() == [1]
    s = Scheduler(np.zeros((0, 2)), sight=4, speed=1, reach=2)
    assert (s.add((0, 0)), s.add((6, 0))) == ((0, 0), (1, 0))
    step(s, 0)
    assert s.blockers(0).tolist() == [1]
    s = scheduler((0, 0), (50, 0), sight=[1, 2])
    error = refusal(errors.OptionError, s, s.add, (5, 0))
    assert str(error).startswith("add() needs sight= and speed=")
    assert s.add((5, 0), sight=1, speed=1) == (2, 0)


def test_under_the_compatibility_rule_nobody_may_join_ahead_of_its_neighbours():
    s = scheduler((0, 0), rule="compatibility")
    error = refusal(errors.JoinsAheadError, s, s.add, (1, 0), at=3)
    assert (error.agent, error.step, error.behind, error.clock) == (1, 3, 0, 0)
    assert str(error) == (
        "agent 1 cannot join at step 3 yet: agent 0, which is at step 0, would see it too early; "
        "add it after that one has finished step 2, before it starts the next"
    )


def test_under_the_compatibility_rule_a_newcomer_becomes_a_member_of_the_cluster():
    s = scheduler((0, 0), (12, 0), rule="compatibility")
    step(s, 1)
    assert s.status(0) == "ready"
    s.add((3, 0))
    assert s.clusters([0, 2]).tolist() == [0, 0]
    s.validate()


def test_a_leaver_frees_those_who_wait_for_it_and_its_id_is_not_used_again():
    s = scheduler((0, 0), (3, 0))
    step(s, 0)
    assert s.remove([1]).tolist() == [0]
    assert (s.status(1), s.ready().tolist()) == ("left", [0])
    assert s.add((50, 0))[0] == 2
    assert s.clocks.tolist() == [1, 0, 1]


def test_in_a_versioned_world_a_leaver_is_still_seen_at_its_clock():
    s = scheduler((0, 0), (99, 0))
    step(s, 0, times=5)
    s.remove([0])
    # Agent 0 has read up to step 4 near its place, and nobody can change that any more.
    with pytest.raises(errors.JoinsTooEarlyError) as caught:
        s.add((1, 0), at=4)
    assert caught.value.earliest == 5


# Stories


def test_a_story_tells_why_an_agent_waited_and_what_ended_it():
    s = scheduler((0, 0), (3, 0))
    step(s, 0)
    step(s, 1)
    assert [str(entry) for entry in s.story(0)] == [
        "agent 0, step 0: joined",
        "agent 0, step 0: may start",
        "agent 0, step 0: started",
        "agent 0, step 0: finished",
        "agent 0, step 1: waits for agent 1, which is at step 0 and 3 away (more than 5 is "
        "needed); looks again when that one reaches step 1",
        "agent 0, step 1: looks again: agent 1 has reached step 1 or left",
        "agent 0, step 1: may start",
    ]
    waited = s.story(0)[4]
    assert (waited.agent, waited.clock, waited.what) == (0, 1, "waited")
    assert (waited.witness, waited.witness_clock, waited.wake_at) == (1, 0, 1)
    assert (waited.distance, waited.bound) == (3, 5)
    started = s.story(0)[2]
    assert started.what == "started"
    assert {started.witness, started.witness_clock, started.distance, started.bound} == {None}
    assert started.wake_at is None
    assert repr(started) == f"<StoryEntry {started.number}: {started}>"


def test_the_story_of_a_cluster_tells_who_held_it():
    s = scheduler((0, 0), (5, 0), (11, 0), rule="compatibility")
    step(s, 0, 1)
    assert str(s.story(0)[-1]) == "agent 0, step 1: is free, but a member of its cluster is blocked"
    assert str(s.story(1)[1]).endswith("may start, together with its cluster of 2")
    assert s.story(0)[-1].what == "unblocked"


def test_a_story_tells_of_a_blocked_member_only_where_one_is_blocked():
    s = scheduler((0, 0), (5, 0), rule="compatibility")
    assert [entry.what for entry in s.story(0)] == ["joined", "ready"]


def test_entries_are_numbered_over_all_agents():
    s = scheduler((0, 0), (50, 0))
    numbers = sorted(entry.number for a in (0, 1) for entry in s.story(a))
    assert numbers == list(range(4))


def test_the_memory_of_stories_is_bounded():
    s = scheduler((0, 0), (50, 0), story_capacity=5)
    step(s, 0, times=10)
    entries = s.story(0) + s.story(1)
    assert len(entries) == 5
    assert max(entry.number for entry in entries) == 33
    assert scheduler((0, 0), story_capacity=0).story(0) == []


# Threads


@pytest.mark.parametrize(("threads", "each"), [(6, 8), (3, 1100)])
def test_threads_that_share_a_scheduler_take_turns(threads, each):
    # Batches of 1024 and more are worked on without the interpreter lock.
    agents = threads * each
    places = np.stack((np.arange(agents) % 97 * 3, np.arange(agents) // 97 * 3), axis=1)
    s = Scheduler(places, sight=1, speed=1, story_capacity=100)
    mine = np.array_split(np.arange(agents), threads)
    done: list[Exception | None] = []

    def work(ids):
        try:
            for _ in range(20):
                ready = np.intersect1d(s.ready(), ids)
                s.start(ready)
                s.clusters(ids)
                s.status(int(ids[0]))
                s.finish(ready, s.positions[ready])
            done.append(None)
        except Exception as error:
            done.append(error)

    workers = [threading.Thread(target=work, args=(ids,)) for ids in mine]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert done == [None] * threads
    s.validate()
    assert s.clocks.max() > 0
    assert s.ready().size
