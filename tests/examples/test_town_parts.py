"""The parts of the example town: map, people, memory, plans, talks."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from draw_town import TOWN, draw_map, draw_tiles

from headway.examples.town.atlas import read_atlas
from headway.examples.town.memory import CAPACITY, Memory, recall, remember, shared_words, words
from headway.examples.town.people import people
from headway.examples.town.planning import CHOICES, day_schema, parts_left, plan_day, stop_at
from headway.examples.town.talking import Talk, Turn, clean, listen, reaction, wants_to_talk
from headway.examples.town.words import USES
from headway.live import Neighbour
from headway.world.store import Utterance


@pytest.fixture(scope="module")
def atlas():
    return read_atlas()


# The map.


def test_the_shipped_map_is_what_the_script_draws():
    assert (TOWN / "town.tmj").read_text() == draw_map()
    assert (TOWN / "town.png").read_bytes() == draw_tiles()


def test_the_examples_lie_where_readers_look_for_them():
    link = Path(__file__).parents[2] / "examples" / "town"
    assert (link / "town.tmj").samefile(TOWN / "town.tmj")


def test_everything_in_town_can_be_reached(atlas):
    space = atlas.space
    free = {tile for x in range(80) for y in range(60) if space.is_free(tile := (x, y))}
    reached, wave = {(40, 24)}, [(40, 24)]
    while wave:
        x, y = wave.pop()
        for tile in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if tile in free and tile not in reached:
                reached.add(tile)
                wave.append(tile)
    assert reached == free
    assert all(thing.tile in free for thing in atlas.things.values())
    assert all(atlas.tiles(area) for area in space.all_areas)


def test_rooms_lie_within_their_buildings(atlas):
    areas = atlas.space.all_areas
    rooms = [name for name in areas if ":" in name]
    assert len(areas) - len(rooms) > 20
    assert len(rooms) > 40
    for name in rooms:
        whole = areas[name.partition(":")[0]]
        assert all(whole.contains(tile) for tile in areas[name].tiles)
    assert atlas.space.areas((18, 14)) == ("cafe", "cafe:kitchen")


def test_every_thing_in_town_is_of_use(atlas):
    assert {thing.kind for thing in atlas.things.values()} == set(USES)
    assert {thing.rule for thing in atlas.things.values()} == {"", "claim", "last"}
    assert len(atlas.places()) > 50


# People.


def test_everybody_has_a_bed_and_knows_places_and_people_that_exist(atlas):
    villagers = people(120, 3)
    names = {person.name for person in villagers}
    assert len(names) == 120
    for person in villagers:
        assert atlas.beds(person.home)
        assert atlas.tiles(person.workplace)
        assert all(atlas.tiles(area) for area in person.likes)
        assert set(person.relations) <= names
        assert 4 <= person.wake < person.sleep <= 23


def test_relations_have_two_sides():
    by_name = {person.name: person for person in people(25, 0)}
    for person in by_name.values():
        for other, what in person.relations.items():
            if what not in {"chief", "friend"}:
                assert person.name in by_name[other].relations, (person.name, other)


# Memory.


def test_recent_important_and_fitting_memories_come_to_mind_first():
    def first(matter, *memories):
        return recall(tuple(memories), matter, 1000, 1)[0].text

    old, new = Memory(0, "bread", 3), Memory(990, "cheese", 3)
    assert first("ducks", old, new) == "cheese"
    assert first("bread", old, new) == "bread"
    assert first("ducks", old._replace(importance=10), new._replace(step=600)) == "bread"
    assert recall((), "ducks", 0, 3) == []


def test_rare_words_weigh_more():
    texts = ["a duck on the pond", "a dog on the street", "a cat on the street"]
    fit = shared_words("duck street", texts)
    assert fit[0] > fit[1] == fit[2] > 0
    assert words("The duck saw the DUCK!") == ("duck",)


def test_relevance_can_be_replaced():
    memories = (Memory(0, "x", 1), Memory(0, "yy", 1))
    assert recall(memories, "", 0, 1, lambda _, texts: [len(t) for t in texts])[0].text == "yy"


def test_memory_is_bounded():
    memories = ()
    for step in range(CAPACITY + 10):
        memories = remember(memories, Memory(step, "x", 1))
    assert len(memories) == CAPACITY
    assert memories[0].step == 10


# Plans.


def test_a_plan_follows_wishes_and_otherwise_the_usual_day():
    ada = people(1, 0)[0]
    plan = plan_day(ada, {"evening": "inn", "noon": "home", "afternoon": "work"}, Random(0))
    assert stop_at(plan, 3).area == ada.home
    assert stop_at(plan, 10).area == "bakery"
    assert stop_at(plan, 12.5).area == "alder house"
    assert stop_at(plan, 15).area == "bakery"
    assert stop_at(plan, 18).area == "inn"


def test_only_what_is_left_of_the_day_is_planned():
    assert parts_left(11.9) == ("noon", "afternoon", "evening", "night")
    assert parts_left(22) == ()
    schema = day_schema(parts_left(18))
    assert schema["properties"] == {"night": {"enum": list(CHOICES)}}
    assert day_schema(parts_left(18)) is schema  # so that engines compile it once


# Talks.


def neighbour(name, partner, said=None, to="Ada"):
    words_said = None if said is None else Utterance(name, said, (to,))
    return Neighbour(
        name, (1, 1), 1, {"doing": "strolling", "with": partner, "about": "ducks"}, words_said
    )


def test_a_talk_goes_to_and_fro():
    talk = Talk("Bo", 6, spoke=4).with_line("Ada", "Hello!", None)
    waiting, turn = listen(talk, "Ada", neighbour("Bo", None), 5)
    assert turn is Turn.WAIT
    answered, turn = listen(waiting, "Ada", neighbour("Bo", "Ada", "Hello Ada!"), 6)
    assert turn is Turn.SPEAK
    assert answered.lines == (("Ada", "Hello!"), ("Bo", "Hello Ada!"))
    assert answered.topics == ("ducks",)


def test_a_talk_ends_by_goodbye_by_leaving_by_silence_and_when_the_other_is_taken():
    talk = Talk("Bo", 6, spoke=4).with_line("Ada", "Hello!", None).with_line("Bo", "Hi.", None)
    heard, turn = listen(talk, "Ada", neighbour("Bo", None, "Goodbye!"), 6)
    assert turn is Turn.END
    assert heard.lines[-1] == ("Bo", "Goodbye!")
    assert listen(talk, "Ada", None, 5)[1] is Turn.END
    assert listen(talk, "Ada", neighbour("Bo", None), 5)[1] is Turn.END
    assert listen(talk, "Ada", neighbour("Bo", "Cy", "Hi Cy", "Cy"), 5)[1] is Turn.END
    opened = Talk("Bo", 6, spoke=4).with_line("Ada", "Hello!", None)
    assert listen(opened, "Ada", neighbour("Bo", None), 6)[1] is Turn.END


def test_of_two_who_begin_at_once_one_goes_on():
    turns = {}
    for me, other in (("Ada", "Bo"), ("Bo", "Ada")):
        talk = Talk(other, 6, spoke=4).with_line(me, "Hello!", None)
        turns[me] = listen(talk, me, neighbour(other, me, "Hello!", me), 5)[1]
    assert turns == {"Ada": Turn.SPEAK, "Bo": Turn.WAIT}


def test_only_who_is_addressed_and_waited_for_takes_up_a_talk():
    assert wants_to_talk("Ada", neighbour("Bo", "Ada", "Hello!"))
    assert not wants_to_talk("Ada", neighbour("Bo", "Cy", "Hello!", "Cy"))
    assert not wants_to_talk("Ada", neighbour("Bo", None, "Goodbye!"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('"Good morning, dear Bo!"', "Good morning, dear Bo!"),
        ("Ada Fenn: well, hello there. How are", "Well, hello there."),
        ("Ada says: Hello again, Bo.", "Hello again, Bo."),
        ("(smiles) *waves* Hello again, Bo.\nBo: Hi.", "Hello again, Bo."),
        ("The bread is nearly rea", "The bread is nearly."),
        ("It's Bo's bread.", "It's Bo's bread."),
        ("We meet at 12:30 today.", "We meet at 12:30 today."),
        ("Quentin.", "Is that so?"),
        ("...", "Is that so?"),
        ("  \n ", "Is that so?"),
        ("Here's a rewritten version of your sentence.", "Is that so?"),
        ("word " * 90, ("Word" + " word" * 27 + ".")),
        ("word " * 90 + ".", "Is that so?"),
    ],
)
def test_a_model_s_text_becomes_a_line(text, line):
    assert clean(text, "Is that so?") == line


def test_a_reaction_is_no_echo_and_not_addressed_to_oneself():
    talk = Talk("Bo Lee", 6).with_line("Bo Lee", "Have you heard about the lame duck?", "duck")
    assert reaction("Have you heard of the lame duck?", talk, "Ada Fenn", "Well!") == "Well!"
    assert (
        reaction("Ada, poor little thing!", talk, "Ada Fenn", "Well!") == "Bo, poor little thing!"
    )


def test_people_file_is_plain_json():
    data = json.loads((TOWN / "people.json").read_text())
    assert len(data["people"]) == 25
